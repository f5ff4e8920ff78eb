"""Gemini's words when it ends a link, as users have reported them."""

from typing import Final

KEY: Final = "API key not valid. Please pass a valid API key."
CREDENTIALS: Final = (
    "Request had invalid authentication credentials. Expected OAuth 2 access token"
)
CALLERS: Final = (
    "Method doesn't allow unregistered callers (callers without established identity)."
)
QUOTA: Final = "You exceeded your current quota, please check your plan and billing details."
NO_MODEL: Final = "models/x is not found for API version v1beta, or is not supported for bidiGenerateContent. Call"
FORGOTTEN: Final = "BidiGenerateContent session not found"
INVALID: Final = "Request contains an invalid argument."
BROKEN: Final = "Internal error encountered."
DEADLINE: Final = "Deadline expired before operation could complete."
