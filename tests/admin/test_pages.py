"""Every page of the admin, as people of two tenants."""

import pytest
from django.contrib.admin.models import LogEntry

from billing.costs.models import Budget, ModelPrice
from config.admin_site import site
from tenants.context import acting_as
from tenants.models import ApiKey, AuditEntry, Tenant, User
from tenants.permissions import Role
from tests.admin.rows import address
from widgets.models import Personality, Widget

MEMBERS = {
    "knowledge.document",
    "widgets.session",
    "widgets.message",
    "widgets.widget",
    "widgets.personality",
}


def label(model):
    return f"{model._meta.app_label}.{model._meta.model_name}"


PAGES = sorted(site._registry, key=label)


@pytest.mark.parametrize("model", PAGES, ids=label)
def test_lists_and_details_show_ones_own_rows_only(model, filled, acme, bolt, sign_in):
    client = sign_in(acme)
    with acting_as(bolt):
        foreign = model.objects.order_by("pk").last()
    with acting_as(acme):
        own = model.objects.order_by("pk").last()
    page = client.get(address(model), follow=True)
    assert page.status_code == 200
    assert "bolt" not in page.content.decode()
    for query in ("?q=bolt", f"?id__exact={foreign.pk if foreign else ''}", "?o=1.2.3"):
        assert "bolt " not in client.get(address(model) + query, follow=True).content.decode()
    if own is not None:
        assert str(own.pk) in page.content.decode()
        detail = client.get(address(model, "change", own.pk))
        assert detail.status_code == 200
        assert "bolt" not in detail.content.decode()
        assert "<script>alert(1)" not in detail.content.decode()
    if foreign is not None and model is not ModelPrice:
        for verb in ("change", "delete"):
            response = client.get(address(model, verb, foreign.pk))
            assert response.status_code in {404, 403}, verb
            assert verb == "delete" or response.status_code == 404
        client.post(address(model, "change", foreign.pk), {"name": "stolen"})
        client.post(address(model, "delete", foreign.pk), {"post": "yes"})
        with acting_as(bolt):
            assert model.objects.filter(pk=foreign.pk).exists()


OWN_PAGES = {"/admin/costs/": False, "/admin/search-bench/": True, "/admin/knowledge/document/upload/": True}
"""Pages of no one table, and whether a member may open them."""


@pytest.mark.parametrize("model", PAGES, ids=label)
@pytest.mark.parametrize("role", Role)
def test_each_role_meets_what_is_its_own(model, role, filled, acme, sign_in):
    client = sign_in(acme, role)
    is_open = role is not Role.MEMBER or label(model) in MEMBERS
    assert client.get(address(model), follow=model is Tenant and is_open).status_code == (
        200 if is_open else 403
    )
    assert (f'href="{address(model)}"' in client.get("/admin/").content.decode()) is is_open


@pytest.mark.parametrize("path", OWN_PAGES)
@pytest.mark.parametrize("role", Role)
def test_each_role_meets_its_own_pages_of_no_table(path, role, filled, acme, sign_in):
    client = sign_in(acme, role)
    is_open = role is not Role.MEMBER or OWN_PAGES[path]
    page = client.get(path)
    assert page.status_code == (200 if is_open else 403)
    assert "bolt" not in page.content.decode()


@pytest.mark.parametrize("model", [Budget, ApiKey, User, Personality, Widget, Tenant], ids=label)
def test_what_a_role_may_only_read_it_cannot_write(model, filled, acme, sign_in):
    client = sign_in(acme, Role.MEMBER)
    with acting_as(acme):
        own = model.objects.order_by("pk").last()
    may_read = label(model) in MEMBERS
    assert client.get(address(model, "add")).status_code == 403
    assert client.get(address(model, "change", own.pk)).status_code == (200 if may_read else 403)
    for verb in ("change", "delete"):
        assert client.post(address(model, verb, own.pk), {"name": "x", "post": "yes"}).status_code == 403
    with acting_as(acme):
        assert model.objects.filter(pk=own.pk).exists()


@pytest.mark.parametrize("model", PAGES, ids=label)
def test_an_empty_list_says_what_to_do_next(model, acme, sign_in):
    client = sign_in(acme)
    page = client.get(address(model), follow=True).content.decode()
    if model not in (User, ModelPrice, Tenant, AuditEntry):
        assert f"No {model._meta.verbose_name_plural} yet" in page
        assert 'class="fd-button' in page
        assert site.get_model_admin(model).empty_state
    assert client.get(address(model) + "?q=nothing", follow=True).status_code == 200


@pytest.mark.parametrize(
    "query", ["?p=9999", "?p=x", "?q=%00", "?status__exact=nonsense", "?o=99", "?widget__id__exact=1"]
)
def test_a_strange_query_is_no_server_error(query, filled, acme, sign_in):
    client = sign_in(acme)
    for model in PAGES:
        assert client.get(address(model) + query, follow=True).status_code < 500


def test_an_id_that_is_none_is_not_found(acme, sign_in):
    client = sign_in(acme)
    for model in PAGES:
        assert client.get(address(model, "change", "nonsense")).status_code == 404


def test_djangos_own_log_stays_empty(acme, sign_in):
    client = sign_in(acme)
    client.post("/admin/widgets/widget/add/", {"name": "New"})
    assert not LogEntry.objects.exists()
