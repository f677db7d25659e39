"""How long the engine stays open."""

from __future__ import annotations

import threading
import time

import pytest
from PIL import Image

RED = Image.new("RGB", (128, 128), "red")


def is_open(host):
    return host.ext("engine").keeper.opened() is not None


def within_seconds(wanted, seconds=20):
    end = time.monotonic() + seconds
    while not wanted() and time.monotonic() < end:
        time.sleep(0.01)
    return wanted()


@pytest.fixture
def idle(host):
    """Sets the setting; host.timers has the timers that were started."""
    keeping = host.ext("host.keeping")
    host.timers = []

    class Timer(threading.Timer):
        def start(self):
            host.timers.append(self)

    keeping.threading = type("Threading", (), {"Timer": Timer})

    def set_minutes(minutes):
        host.script_callbacks.ui_settings_callback()
        host.shared.opts.kandinsky_idle_minutes = minutes

    return set_minutes


def test_the_setting_is_in_our_section(host):
    host.script_callbacks.ui_settings_callback()
    info = host.shared.opts.data_labels["kandinsky_idle_minutes"]
    assert (info.default, info.section) == (-1, ("kandinsky", "Kandinsky"))


@pytest.mark.parametrize("value", [-1, -5, None, "soon", float("nan")])
def test_it_stays_open(host, idle, value):
    idle(value)
    host.txt2img()
    assert is_open(host)
    assert host.timers == []


def test_without_the_settings_page_it_stays_open(host):
    host.txt2img()
    assert is_open(host)


@pytest.mark.parametrize("value", [0, "0", 0.0])
def test_it_is_closed_after_each_run(host, idle, value):
    idle(value)
    host.txt2img(n_iter=2)
    assert not is_open(host)
    host.txt2img()
    assert len(host.called("open")) == 2


def test_one_run_may_have_other_minutes(host, idle):
    idle(-1)
    host.txt2img(override_settings={"kandinsky_idle_minutes": 5})
    assert [timer.interval for timer in host.timers] == [300]
    host.txt2img(override_settings={"kandinsky_idle_minutes": 0})
    assert not is_open(host)


def test_it_is_closed_after_a_run_that_failed(host, idle):
    idle(0)
    with pytest.raises(host.engine.InvalidArgumentError):
        host.txt2img(steps=1000)
    assert not is_open(host)


def test_a_batch_of_files_is_one_run(host, idle):
    """The host's img2img batches call the script for each file and close p once."""
    idle(0)
    opened = []

    class Batch:
        @staticmethod
        def run(p):
            for _ in range(3):
                processed = host.img2img_script.run(p, *host.settings())
                opened.append(is_open(host))
            return processed

    p = host.processing.StableDiffusionProcessingImg2Img(init_images=[RED])
    host.processing.generate(Batch, p)
    assert opened == [True] * 3
    assert len(host.called("open")) == 1
    assert not is_open(host)


def test_a_run_inside_a_run_closes_nothing(host, idle):
    idle(0)
    opened = []

    class Detailer:
        def setup(self, p):
            host.twin.setup(p, True)

        def before_process(self, p):
            host.twin.before_process(p)

        def postprocess_image(self, p, image):
            inner = host.processing.StableDiffusionProcessingImg2Img(init_images=[image])
            host.img2img_script.run(inner, *host.settings())
            inner.close()
            opened.append(is_open(host))

    p = host.processing.StableDiffusionProcessingTxt2Img(
        n_iter=2, scripts=host.scripts.Runner([Detailer()])
    )
    host.processing.generate(None, p)
    assert host.scripts.swallowed == []
    assert opened == [True, True]
    assert not is_open(host)


def test_it_is_closed_when_it_was_idle_for_so_long(host, idle):
    idle(5)
    host.txt2img()
    (timer,) = host.timers
    assert (timer.interval, timer.daemon) == (300, True)
    assert is_open(host)
    timer.function()
    assert not is_open(host)


def test_a_run_begins_the_wait_anew(host, idle):
    idle(5)
    host.txt2img()
    host.txt2img()
    first, second = host.timers
    assert first.finished.is_set()
    # It may have waited for the lock all the time that the second run took.
    first.function()
    assert is_open(host)
    second.function()
    assert not is_open(host)


def test_the_wait_ends_on_a_thread_of_its_own_and_after_runs(host):
    host.script_callbacks.ui_settings_callback()
    host.shared.opts.kandinsky_idle_minutes = 0.01 / 60
    with host.call_queue.queue_lock:
        host.txt2img()
        time.sleep(0.2)
        assert is_open(host)
    assert within_seconds(lambda: not is_open(host))


def test_the_hosts_unloading_unloads_both(host):
    host.txt2img()
    assert host.sd_models.unload_model_weights("theirs") == "theirs"
    assert not is_open(host)
    assert not host.call_queue.queue_lock.locked()


def test_the_hosts_unloading_waits_for_a_run(host):
    host.txt2img()
    with host.call_queue.queue_lock:
        host.sd_models.unload_model_weights()
        assert is_open(host)
    assert within_seconds(lambda: not is_open(host))


def test_a_reloaded_page_hooks_only_once(host):
    unload = host.sd_models.unload_model_weights
    host.ext("host.keeping").hook_unload()
    assert host.sd_models.unload_model_weights is unload
