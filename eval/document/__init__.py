"""The results document of an evaluation as frozen values, with one reader and one writer.

Other rooms import its parts from here; which file of this folder describes a part is no concern of theirs.
"""

from __future__ import annotations

from prefilter.eval.document.bias_measures import BiasMeasures, TermMeasures, WorstTerm
from prefilter.eval.document.category_measures import (
    CategoryMeasures,
    Estimate,
    Estimated,
    EvidenceMeasures,
    Interval,
    LengthMeasures,
    RankedMeasures,
    SliceMeasures,
    SubcategoryMeasures,
    estimate,
    share_of,
)
from prefilter.eval.document.curve_points import LowRoc, PrecisionRecall, ReliabilityBins, VerdictCurves
from prefilter.eval.document.document_file import cut, lines, load, read_file
from prefilter.eval.document.hatecheck_measures import Accuracy, HatecheckMeasures
from prefilter.eval.document.json_parts import LEADING, Part, PartError, plain, read, stripped, widened
from prefilter.eval.document.left_out_measures import (
    LeftOutHead,
    LeftOutMean,
    LeftOutMeasures,
    LeftOutRecipe,
    LeftOutSource,
)
from prefilter.eval.document.metric_paths import ANY_KEY, find
from prefilter.eval.document.model_description import ModelDescription, int8_cost
from prefilter.eval.document.operating_measures import (
    RATES,
    AloneRates,
    FalseAlarms,
    HeldByLength,
    OperatingMeasures,
    OutcomeShares,
    WithoutContext,
)
from prefilter.eval.document.results_document import Machine, PolicyDescription, ResultsDocument, SubcategoriesOf
from prefilter.eval.document.rival_summary import (
    POLICY,
    HeadSummary,
    Measured,
    PolicySummary,
    RivalSummary,
    SuiteSummary,
    summarise,
)
from prefilter.eval.document.span_measures import ShownSpanMeasures, SpanMeasures
from prefilter.eval.document.suite_result import Judged, SuiteResult, Undeclared

__all__ = [
    "ANY_KEY",
    "LEADING",
    "POLICY",
    "RATES",
    "Accuracy",
    "AloneRates",
    "BiasMeasures",
    "CategoryMeasures",
    "Estimate",
    "Estimated",
    "EvidenceMeasures",
    "FalseAlarms",
    "HatecheckMeasures",
    "HeadSummary",
    "HeldByLength",
    "Interval",
    "Judged",
    "LeftOutHead",
    "LeftOutMean",
    "LeftOutMeasures",
    "LeftOutRecipe",
    "LeftOutSource",
    "LengthMeasures",
    "LowRoc",
    "Machine",
    "Measured",
    "ModelDescription",
    "OperatingMeasures",
    "OutcomeShares",
    "Part",
    "PartError",
    "PolicyDescription",
    "PolicySummary",
    "PrecisionRecall",
    "RankedMeasures",
    "ReliabilityBins",
    "ResultsDocument",
    "RivalSummary",
    "ShownSpanMeasures",
    "SliceMeasures",
    "SpanMeasures",
    "SubcategoriesOf",
    "SubcategoryMeasures",
    "SuiteResult",
    "SuiteSummary",
    "TermMeasures",
    "Undeclared",
    "VerdictCurves",
    "WithoutContext",
    "WorstTerm",
    "cut",
    "estimate",
    "find",
    "int8_cost",
    "lines",
    "load",
    "plain",
    "read",
    "read_file",
    "share_of",
    "stripped",
    "summarise",
    "widened",
]
