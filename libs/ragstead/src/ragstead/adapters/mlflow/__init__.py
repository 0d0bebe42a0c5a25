"""MLflow: releases as versions of a registered model, evaluations as runs, and the server beside the platform.

Importing this package imports nothing of MLflow's, which takes two seconds; its modules do.
"""
