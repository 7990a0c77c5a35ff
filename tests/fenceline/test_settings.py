"""Settings come from the environment, and a typing error in one is not silent."""

import pytest

from fenceline.settings import BadSetting, Settings, read_settings


def test_defaults_hold_without_an_environment() -> None:
    assert read_settings({}) == Settings()


def test_values_are_read_as_their_type_and_empty_ones_are_absent() -> None:
    assert read_settings({"FENCELINE_PARTITIONS": "4", "FENCELINE_BROKER": "", "PATH": "/bin"}) == Settings(
        partitions=4
    )


def test_an_unknown_setting_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BadSetting, match=r"FENCELINE_BROKERS.*known: .*FENCELINE_BROKER"):
        read_settings({"FENCELINE_BROKERS": "x"})


def test_a_wrong_value_is_refused_with_its_name() -> None:
    with pytest.raises(BadSetting, match="partitions"):
        read_settings({"FENCELINE_PARTITIONS": "many"})
