"""Lets moto import its CloudFormation without the packages of services that are not served."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from types import ModuleType
from typing import Any

PACKAGE = "openapi_spec_validator"
EXCEPTIONS = f"{PACKAGE}.validation.exceptions"


def replace_missing_package() -> None:
    """Registers a stand-in for the package that only moto's API Gateway uses."""
    if PACKAGE in sys.modules or find_spec(PACKAGE):
        return
    package: Any = ModuleType(PACKAGE)
    package.validate = None
    exceptions: Any = ModuleType(EXCEPTIONS)
    exceptions.OpenAPIValidationError = ValueError
    validation = ModuleType(f"{PACKAGE}.validation")
    for module in (package, validation, exceptions):
        sys.modules[module.__name__] = module
