import pytest

from shared import errors
from shared.errors import Wav2mp3Error

CLASSES = [
    each
    for each in vars(errors).values()
    if isinstance(each, type) and issubclass(each, Wav2mp3Error)
]


@pytest.mark.parametrize("error", CLASSES)
def test_an_error_has_its_own_code_and_message(error: type[Wav2mp3Error]) -> None:
    assert {"code", "message"} <= vars(error).keys()
    assert error.message.endswith(".")
    assert [each for each in CLASSES if error.code == each.code] == [error]
