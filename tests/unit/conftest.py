"""How many inputs the property tests try: a few at every run, many with `--hypothesis-profile thorough`."""

from hypothesis import settings


settings.register_profile("quick", max_examples=20, deadline=None)
settings.register_profile("thorough", max_examples=2000, deadline=None)
settings.load_profile("quick")
