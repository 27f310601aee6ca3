from tests.chapters.conftest import sample

__all__ = ["sample"]  # a fixture
