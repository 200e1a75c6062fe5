"""The small parts that workspaces are made of."""

import json
import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest

from growqr.errors import InvalidInput
from growqr.models.gateway import ModelGateway
from growqr.opencode import Workspaces, upkeep
from growqr.opencode.cgroups import Cgroups, make_cgroups
from growqr.opencode.logs import WorkspaceLog
from growqr.opencode.places import Place, Places
from growqr.opencode.seccomp import seccomp_filter
from growqr.opencode.types import (
    Missed,
    StatusChanged,
    WorkspaceFile,
    WorkspaceSpec,
    WorkspaceStatus,
)
from growqr.opencode.upkeep import DiskWatch
from growqr.opencode.watching import Watchers
from growqr.settings import Settings
from tests.opencode.conftest import spec

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("name", ["", "..", "a/b", "-x", "a\n", "x" * 65])
def test_ids_that_are_no_folder_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        WorkspaceSpec(id="wsp_1", user_id=name, actor_id="act_1")


class TestPlaces:
    def test_a_place_is_the_same_again(self, tmp_path: Path) -> None:
        place = Places(tmp_path, 300_000).prepare(spec())
        assert Places(tmp_path, 300_000).prepare(spec()) == place
        assert place.root == tmp_path / "workspaces/usr_1/act_w1"
        assert place.root.stat().st_mode & 0o777 == 0o700

    @pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
    def test_each_place_has_a_uid_of_its_own_that_owns_its_files(self, tmp_path: Path) -> None:
        places = Places(tmp_path, 300_000)
        first = places.prepare(spec("a"))
        assert Places(tmp_path, 300_000).prepare(spec("b")).uid == 300_001
        assert first.uid == 300_000
        outside = tmp_path / "outside"
        outside.touch()
        (first.files / "deep").mkdir()
        (first.files / "deep/link").symlink_to(outside)
        os.chown(first.files, 0, 0)
        places.prepare(spec("a"))
        assert (first.files / "deep").stat().st_uid == 300_000
        assert (first.files / "deep/link").lstat().st_uid == 300_000
        assert outside.stat().st_uid == 0

    def test_servers_of_a_dead_worker_are_ended(self, tmp_path: Path) -> None:
        places = Places(tmp_path, 300_000)
        place = places.prepare(spec())
        with subprocess.Popen(["sleep", "100"]) as server:
            dead_worker = self._record(places, place, server.pid, tmp_path)
            self._set_worker(place, [os.getppid(), self._started(os.getppid())])
            assert places.end_orphans() == 0  # its worker lives
            assert server.poll() is None
            self._set_worker(place, dead_worker)
            assert places.end_orphans() == 1
            assert server.wait() == -9
        assert not (place.root / "run.json").exists()

    def test_a_reused_pid_is_left_alone(self, tmp_path: Path) -> None:
        places = Places(tmp_path, 300_000)
        place = places.prepare(spec())
        with subprocess.Popen(["sleep", "100"]) as other:
            self._set_worker(place, self._record(places, place, other.pid, tmp_path))
            facts = json.loads((place.root / "run.json").read_text())
            facts["server"][1] -= 1
            (place.root / "run.json").write_text(json.dumps(facts))
            assert places.end_orphans() == 0
            assert other.poll() is None
            other.kill()

    def test_a_broken_record_is_removed(self, tmp_path: Path) -> None:
        places = Places(tmp_path, 300_000)
        place = places.prepare(spec())
        (place.root / "run.json").write_text("{}")
        assert places.end_orphans() == 0
        assert not (place.root / "run.json").exists()

    def _record(self, places: Places, place: Place, pid: int, stage: Path) -> list[int]:
        """Note a server; return what names a worker that is dead."""
        places.record(place, pid, stage)
        with subprocess.Popen(["true"]) as done:
            done.wait()
        return [done.pid, 1]

    def _set_worker(self, place: Place, worker: list[int]) -> None:
        facts = json.loads((place.root / "run.json").read_text())
        (place.root / "run.json").write_text(json.dumps({**facts, "worker": worker}))

    def _started(self, pid: int) -> int:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


class TestCgroups:
    async def test_version_1(self, tmp_path: Path) -> None:
        for name in ("memory", "pids", "cpu"):
            (tmp_path / name).mkdir()
        made = make_cgroups("w", memory_bytes=5, max_processes=7, root=tmp_path)
        assert (tmp_path / "memory/growqr/w/memory.limit_in_bytes").read_text() == "5"
        assert (tmp_path / "pids/growqr/w/pids.max").read_text() == "7"
        assert made.procs[-1] == tmp_path / "cpu/growqr/w/cgroup.procs"
        assert (len(made.procs), list(made.missing)) == (3, [])

    async def test_version_2(self, tmp_path: Path) -> None:
        (tmp_path / "cgroup.controllers").touch()
        made = make_cgroups("w", memory_bytes=5, max_processes=7, root=tmp_path)
        assert made.procs == [tmp_path / "growqr/w/cgroup.procs"]
        assert (tmp_path / "growqr/w/memory.max").read_text() == "5"
        assert (tmp_path / "growqr/cgroup.subtree_control").read_text() == "+memory +pids +cpu"

    async def test_a_host_without_any_says_what_is_missing(self, tmp_path: Path) -> None:
        made = make_cgroups("w", memory_bytes=5, max_processes=7, root=tmp_path / "absent")
        assert (made.procs, list(made.missing)) == ([], ["memory", "processes"])

    @pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
    async def test_groups_that_belong_to_root_are_no_hindrance_to_others(self) -> None:
        with TemporaryDirectory() as folder:
            root = Path(folder)
            root.chmod(0o755)
            (root / "memory/growqr/w").mkdir(parents=True)
            os.seteuid(300_000)
            try:
                made = make_cgroups("w", memory_bytes=5, max_processes=7, root=root)
            finally:
                os.seteuid(0)
        assert (made.procs, list(made.missing)) == ([], ["memory", "processes"])

    @pytest.mark.parametrize("file", ["memory.events", "memory.oom_control"])
    async def test_running_out_of_memory_is_read_in_both_versions(
        self, tmp_path: Path, file: str
    ) -> None:
        group = Cgroups([tmp_path / "pids", tmp_path])
        assert group.out_of_memory() is None
        for kills in (0, 1):
            (tmp_path / file).write_text(f"under_oom 0\noom_kill {kills}\n")
            assert group.out_of_memory() is bool(kills)

    async def test_processor_time_is_limited_on_request(self, tmp_path: Path) -> None:
        for name in ("memory", "pids", "cpu"):
            (tmp_path / name).mkdir()
        made = make_cgroups("w", memory_bytes=5, max_processes=7, cpus=1.5, root=tmp_path)
        assert (tmp_path / "cpu/growqr/w/cpu.cfs_quota_us").read_text() == "150000"
        assert list(made.missing) == []
        await made.remove()


class TestDiskWatch:
    def test_what_is_over_the_limit_is_seen_at_the_first_look(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"x" * 8192)
        assert DiskWatch([tmp_path], 4096).over()
        assert not DiskWatch([tmp_path], 1 << 20).over()
        assert not DiskWatch([tmp_path], 0).over()

    def test_a_count_waits_until_the_disk_has_lost_half_of_what_is_left(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        free, used, counts = [10 << 30], 1 << 30, 0

        def statvfs(_: object) -> SimpleNamespace:
            return SimpleNamespace(f_bavail=free[0], f_frsize=1)

        def count(_: object) -> int:
            nonlocal counts
            counts += 1
            return used

        monkeypatch.setattr(os, "statvfs", statvfs)
        monkeypatch.setattr(upkeep, "used_bytes", count)
        watch = DiskWatch([tmp_path], 3 << 30)
        assert [watch.over() for _ in range(20)] == [False] * 20
        assert counts == 1
        free[0] -= 1 << 30
        assert not watch.over()  # it was somebody else
        used = (3 << 30) + 1
        free[0] -= 1 << 30
        assert watch.over()
        assert counts == 3


def test_logs_are_bounded_and_clean(tmp_path: Path) -> None:
    log = WorkspaceLog(tmp_path / "logs/w.log")
    for number in range(3000):
        log.add(f"line {number}")
    log.add("\x1b[31mred\x1b[0m\x07 " + "x" * 5000, "server")
    log.close()
    lines = log.after(0)
    assert (len(lines), lines[-1].seq, log.after(3001)) == (2000, 3001, [])
    assert lines[-1].text.startswith("red x")
    assert len(lines[-1].text) == 2000
    assert "line 2999" in (tmp_path / "logs/w.log").read_text()
    for _ in range(500):
        log.add("x" * 2000)
    assert sum(len(line.text) for line in log.after(0)) <= 256 * 1024
    log.close()


def test_a_log_that_was_closed_goes_on(tmp_path: Path) -> None:
    log = WorkspaceLog(tmp_path / "w.log")
    for text in ("one", "two"):
        log.add(text)
        log.close()
    assert "two" in (tmp_path / "w.log").read_text()


async def test_a_slow_watcher_is_told_what_it_missed() -> None:
    watchers = Watchers()
    with watchers.watching() as events:
        for number in range(1003):
            watchers.tell(StatusChanged(WorkspaceStatus("ready", str(number))))
        assert await anext(events) == Missed(3)
        first = await anext(events)
        assert isinstance(first, StatusChanged)
        assert first.status.reason == "3"


def test_the_system_call_filter_is_a_bpf_program() -> None:
    program = seccomp_filter()
    assert len(program) > 50 * 8
    assert len(program) % 8 == 0


async def test_a_removed_workspace_leaves_nothing_and_begins_empty(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/kept").touch()
    workspaces = Workspaces(settings, ModelGateway(settings.model))
    one = WorkspaceSpec("wsp_1", "usr_1", "act_1")
    first = await workspaces.get(one)
    await first.write_files([WorkspaceFile("a.txt", b"a")])
    (first.path / "link").symlink_to(tmp_path / "outside")
    (log := tmp_path / "data/logs/workspaces/wsp_1.log").parent.mkdir(parents=True, exist_ok=True)
    log.touch()
    await workspaces.remove(one)
    assert not log.exists()
    assert list((tmp_path / "data/workspaces/usr_1").iterdir()) == []
    assert (tmp_path / "outside/kept").exists()
    await workspaces.remove(one)
    again = await workspaces.get(one)
    assert again is not first
    assert await again.files() == []
    await workspaces.aclose()
