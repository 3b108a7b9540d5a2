from django.apps import AppConfig


class KnowledgeConfig(AppConfig):
    name = "knowledge"
    is_frontdesk = True

    def ready(self) -> None:
        # Models can only be imported once every app is loaded.
        from billing import usage
        from knowledge import events  # noqa: F401 - imported for what it registers
        from knowledge.counting import documents
        from knowledge.files.exporting import stored_files
        from knowledge.vector_index.deciding import begin_anew
        from knowledge.vector_index.erasing import drop_partition, partitions_of
        from knowledge.vector_index.locking import alone
        from knowledge.vector_index.maintaining import look_after
        from tenants import erasing, maintaining, moving
        from tenants.exporting.contents import with_originals

        usage.counts("documents", documents)
        maintaining.on_round(look_after)
        with_originals(stored_files)
        erasing.holds("vectors: own partition and HNSW index", partitions_of, drop_partition)
        moving.keeps_still(alone)
        moving.settles(begin_anew)
