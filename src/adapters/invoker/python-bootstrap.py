# Starts AWS's own runtime for Python handlers, `awslambdaric`, in a process that the function host made for it.
# Arguments: the handler. It stands alone, and runs on every Python that awslambdaric runs on.
import json
import os
import runpy
import sys

ROOT = os.environ["LAMBDA_TASK_ROOT"]
# In place of this file's folder: what the function brings along comes first, as on Lambda.
sys.path[0] = ROOT


def refuse(error_type, message):
    """Tells the host why there is nothing to run; ends this process."""
    from http.client import HTTPConnection

    error = {"errorType": error_type, "errorMessage": message, "stackTrace": []}
    connection = HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"], timeout=5)
    headers = {"content-type": "application/json", "lambda-runtime-function-error-type": error_type}
    connection.request("POST", "/2018-06-01/runtime/init/error", json.dumps(error), headers)
    connection.getresponse().read()
    sys.exit(1)


try:
    import awslambdaric
except ModuleNotFoundError as missing:
    if missing.name != "awslambdaric":
        raise
    refuse(
        "Runtime.ImportModuleError",
        "Unable to import module 'awslambdaric': Python handlers need AWS's runtime for Python. "
        "Install it for %s: %s -m pip install awslambdaric" % (sys.executable, sys.executable),
    )

os.environ["AWS_EXECUTION_ENV"] = "AWS_Lambda_python%d.%d" % sys.version_info[:2]
os.environ["LAMBDA_RUNTIME_DIR"] = os.path.dirname(os.path.abspath(awslambdaric.__file__))
sys.argv[0] = "awslambdaric"
runpy.run_module("awslambdaric", run_name="__main__")
