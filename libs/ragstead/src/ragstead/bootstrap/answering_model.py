"""The code of a release's model: MLflow copies this file beside the manifest, and runs the copy when it loads one."""

from ragstead.adapters.mlflow.model import become_model
from ragstead.bootstrap.release_model import answers_of

become_model(answers_of)
