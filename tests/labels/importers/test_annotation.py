import pickle

from mmseg_sparse.utils.untrusted import FormatError


def test_an_error_passes_between_processes():
    error = FormatError('a.json', 'shapes[3]', "expected a number, got 'x'")
    assert str(error) == "a.json: shapes[3]: expected a number, got 'x'"
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is FormatError
    assert str(copy) == str(error)
    assert str(FormatError('a.json', '', 'is empty')) == 'a.json: is empty'
