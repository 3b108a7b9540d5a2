from django.apps import AppConfig


class KnowledgeConfig(AppConfig):
    name = "knowledge"
    is_frontdesk = True

    def ready(self) -> None:
        # Models can only be imported once every app is loaded.
        from billing import usage
        from knowledge.counting import documents

        usage.counts("documents", documents)
