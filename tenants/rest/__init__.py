"""What every door of the REST API stands on. How to write one:

    # knowledge/api.py
    class Documents(TenantView):
        area = "knowledge"                                   # safe methods need read or knowledge:read, others write

        @extend_schema(operation_id="documents_list", parameters=PAGE_PARAMETERS, responses=page_of(DocumentFields))
        def get(self, request: Request) -> Response:
            rows = Document.objects.all()                    # a hot list: columns straight to orjson, no serializer
            return newest_first(request, rows, columns=COLUMNS, as_object=as_document)

        @extend_schema(operation_id="documents_create", request=DocumentFields, responses={202: DocumentFields})
        def post(self, request: Request) -> Response:
            document = add_document(**self.valid(DocumentFields))    # one deed function; kernel.errors become problems
            return Response(DocumentFields(document).data, status=202)

    urlpatterns = [*routes("documents/", Documents), *routes("documents/<uuid:id>/", OneDocument)]

* `views.TenantView`: handler and rendering run in one `acting_as(tenant)`; an exception rolls it back. `atomic = False`
  for a view that calls a provider: it opens short contexts itself with `acting_as(self.principal.tenant)`.
* `views.OneRow`: one thing at an address of its own, with an ETag and If-Match. `versioned = True` gives a small list
  an ETag, too; a hot one has none, for the hash costs what it saves.
* `read_methods = frozenset({"POST"})`: a POST that only asks, such as search/. `problems = (402, 503)`: statuses of its
  own to document beside the usual ones.
* `fields.StrictSerializer` and its fields: unknown fields are refused by name, read-only ones are ignored so that what
  was read can be sent back; a number is not a string.
* `pagination.newest_first(request, queryset, by=("id",), columns=None, as_object=None)`: one page of a list.
* Raise `kernel.errors`; `problems.py` turns them into RFC 9457. Look rows up with `views.found(queryset, id)`: 404.

Nothing is imported here: REST_FRAMEWORK names modules of this package while Django REST framework is being imported.
"""
