"""The console: pages for the people of this service, rendered on the server, at `/console`.

Reviewers decide cases here, safety teams edit policies, an admin hands out keys. The pages call the same
use cases as the API (`auth`, `triage`, the policy book, the audit chain) and know nothing of SQL, scores or
models. Whoever builds the app includes `router` under the prefix `/console`; the style sheet and the
modules come with it.
"""

from __future__ import annotations

from prefilter.serving.console.console_routes import router

__all__ = ["router"]
