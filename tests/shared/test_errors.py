import pytest

from shared import errors
from shared.errors import Wav2mp3Error

CLASSES = [
    each
    for each in vars(errors).values()
    if isinstance(each, type) and issubclass(each, Wav2mp3Error)
    if each is not errors.TooManyRequests  # a base class that is never raised itself
]


@pytest.mark.parametrize("error", CLASSES)
def test_an_error_has_its_own_code_and_message(error: type[Wav2mp3Error]) -> None:
    assert "message" in vars(error)
    assert error.message.endswith(".")
    # A special case of another error, such as StillUploading, has its code.
    owner = next(each for each in error.__mro__ if "code" in vars(each))
    assert (owner is Wav2mp3Error) == (error is Wav2mp3Error)
    assert [each for each in CLASSES if each.__dict__.get("code") == error.code] == [owner]
