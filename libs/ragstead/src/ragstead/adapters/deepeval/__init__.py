"""DeepEval: our measures as its metrics, and its judged metrics on a model of ours.

DeepEval reads variables of the environment when it is imported, and reports to its makers unless they say otherwise:
`ragstead.bootstrap.judging.quiet_deepeval` sets them, and has to be called first.
"""

from ragstead.errors import ConfigurationError

try:
    from deepeval.telemetry import telemetry_opt_out
except ModuleNotFoundError as exc:
    raise ConfigurationError("DeepEval is not installed: pip install 'ragstead[deepeval]'") from exc

if not telemetry_opt_out():
    raise ConfigurationError(
        "DeepEval would report to its makers: call ragstead.bootstrap.judging.quiet_deepeval() before it is imported, "
        "or set DEEPEVAL_TELEMETRY_OPT_OUT=YES"
    )
