"""The root of this project's errors: a failure that was foreseen, and whose message may be shown to anyone.

A message names files, fields and rows, never the text of an item; of any other error only the kind and the place in
the code may be told, since its message could repeat a text. `exit_code` is what the command line answers with.

    KnownError                    1
    ├── WrongUse                  2  a command asks for something that cannot be
    ├── models                       RegistryError (2), ManifestError, ScorerError, RepeatsError, NetworkError,
    │                                ArtefactError, CalibrationError, FastStageError, TaxonomyError
    ├── classifier                   RecipeError, SourceError, EncoderError, ExportRefused
    ├── eval                         SuiteError, EvaluateError, GateError, GaugeError, GroupsError, ReportError,
    │                                BesideError, PartError
    └── serving                      PolicyError (2); PrefilterError, which has a tree of its own (serving/errors.py),
                                     SettingsError and the errors of bulk runs in it (WrongRequest: 2)

Most have a built-in error as a second base, ValueError or LookupError, for callers who know no more than that.
"""

from __future__ import annotations

from typing import ClassVar

FAILED, WRONG_USE = 1, 2


class KnownError(Exception):
    """Something that was foreseen went wrong."""

    exit_code: ClassVar[int] = FAILED


class WrongUse(KnownError):
    """The command asks for something that cannot be."""

    exit_code = WRONG_USE
