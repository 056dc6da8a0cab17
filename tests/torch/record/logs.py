"""Reading what a logger wrote, strictly: every line must be a whole JSON object."""

import json

from trainlens.schema import is_end


def parsed(path):
    """The header, and the records, of a native log; any torn or mixed line raises."""
    data = path.read_bytes()
    assert data.endswith(b"\n")
    header, *records = map(json.loads, data.decode().splitlines())
    assert header["schema"] == "trainlens.log/1"
    return header, [record for record in records if not is_end(record)]


def ends(path):
    """The lines that say that the log was ended, and whether one is the last line of all."""
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    return [line for line in lines if is_end(line)], is_end(lines[-1])


def whole(lines, torn):
    """Records of lines of which so many may be torn, as by a kill within the write of one."""
    records = []
    for line in lines:
        try:
            records.append(json.loads(line))
        except ValueError:
            torn -= 1
    assert torn >= 0, "more torn lines than kills"
    return [record for record in records if not is_end(record)]


def steps(path):
    """Steps of the records that hold values."""
    return [record["step"] for record in parsed(path)[1] if record["losses"]]


def anomalies(path, kind):
    """Anomalies of a kind, in order."""
    found = [one for record in parsed(path)[1] for one in record["anomalies"]]
    return [one for one in found if one["type"] == kind]
