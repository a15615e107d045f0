"""Sharing results: push, a fresh clone, pull, and `dvc repro` has nothing to do."""

import pytest


@pytest.fixture
def s3(monkeypatch):
    """An S3 server on the loopback interface; yields the address of a bucket and the server's."""
    import boto3
    from moto.server import ThreadedMotoServer

    for name, value in (
        ("ACCESS_KEY_ID", "none"),
        ("SECRET_ACCESS_KEY", "none"),
        ("DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    boto3.client("s3", endpoint_url=endpoint).create_bucket(Bucket="sdr")
    yield "s3://sdr/store", endpoint
    server.stop()


def test_a_folder_as_remote(repo, tmp_path):
    repo.dvc("remote", "add", "--default", "store", str(tmp_path / "store"))
    share(repo, tmp_path / "clone")


def test_s3_as_remote(repo, tmp_path, s3):
    url, endpoint = s3
    repo.dvc("remote", "add", "--default", "store", url)
    repo.dvc("remote", "modify", "store", "endpointurl", endpoint)
    share(repo, tmp_path / "clone")


def share(repo, to) -> None:
    repo.commit("A remote")
    assert "files pushed" in repo.dvc("push")
    assert "in sync" in repo.dvc("status", "--cloud")
    clone = repo.clone(to)
    assert not (clone.root / "artifacts").exists()
    clone.dvc("pull")
    assert clone.repro() == set()
    assert clone.git("status", "--porcelain") == ""
    assert contents(clone.root / "artifacts") == contents(repo.root / "artifacts")


def contents(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
