"""Settings for every test: annotations are checked, nothing is promoted silently, no display is needed."""

import jax
import pytest
from jaxtyping import install_import_hook

from tests import typechecking

# Before the package is imported anywhere: shapes and types of every annotated function are checked in the tests.
install_import_hook("stdpjax", f"{typechecking.__name__}.typechecker")

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture
def key(request: pytest.FixtureRequest) -> jax.Array:
    """A key that depends on the test's name alone."""
    import stdpjax

    return stdpjax.random.named_key(stdpjax.random.key(0), request.node.nodeid)
