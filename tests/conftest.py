"""What was imported before the first test is never looked at again by the garbage collector, which some tests call."""

import gc


def pytest_collection_finish():
    gc.collect()
    gc.freeze()
