import itertools

import numpy as np
import pytest
from pydantic import ValidationError

from aegmm_detect.configs.aegmm import DetectorConfig, FitConfig
from aegmm_detect.configs.density import DensityConfig
from aegmm_detect.configs.nets import NetSizes, sizes_for, steps_for
from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.saving.manifest import ThresholdEntry

SIZES = {"n_features": 6, "comp_hiddens": (12, 4, 1), "est_hiddens": (10, 2)}
SETTINGS = [(DetectorConfig, {}), (FitConfig, {}), (NetSizes, SIZES)]
every_config = pytest.mark.parametrize(("config", "values"), SETTINGS)


@every_config
def test_settings_are_frozen(config, values):
    settings = config.of(**values)
    for name in config.model_fields:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(settings, name, getattr(settings, name))


@every_config
def test_an_unknown_setting_is_refused_by_its_name(config, values):
    with pytest.raises(ConfigurationError, match="n_clusters is not an argument here"):
        config.of(**values, n_clusters=3)


@every_config
def test_settings_survive_json(config, values):
    settings = config.of(**values)
    assert config.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    ("config", "name", "value"),
    [
        (DetectorConfig, "n_gmm", 0),
        (DetectorConfig, "n_gmm", "two"),
        (DetectorConfig, "normalize", "log"),
        (DetectorConfig, "nan_policy", "ignore"),
        (DetectorConfig, "score_type", "distance"),
        (DetectorConfig, "data_type", 3),
        (DetectorConfig, "seed", -1),
        (DetectorConfig, "seed", 2**31),
        (FitConfig, "w_energy", -0.1),
        (FitConfig, "w_energy", float("nan")),
        (FitConfig, "w_cov_diag", float("inf")),
        (FitConfig, "w_cov_diag", -1),
        (FitConfig, "recon_reduction", "max"),
        (FitConfig, "learning_rate", 0.0),
        (FitConfig, "epochs", 0),
        (FitConfig, "epochs", 1.5),
        (FitConfig, "n_steps", 0),
        (FitConfig, "batch_size", 1),
        (FitConfig, "validation_split", 1.0),
        (FitConfig, "validation_split", -0.1),
        (FitConfig, "clip_norm", 0.0),
        (FitConfig, "jit_compile", "always"),
        (FitConfig, "steps_per_execution", 0),
        (FitConfig, "seed", -1),
        (NetSizes, "n_features", 0),
        (NetSizes, "comp_hiddens", ()),
        (NetSizes, "comp_hiddens", (4, 0)),
        (NetSizes, "est_hiddens", ()),
        (NetSizes, "est_hiddens", None),
        (NetSizes, "est_dropout_ratio", 1.0),
        (NetSizes, "est_dropout_ratio", -0.5),
    ],
)
def test_a_setting_out_of_range_is_refused_by_its_name(config, name, value):
    values = SIZES if config is NetSizes else {}
    with pytest.raises(ConfigurationError, match=rf"^{name}\b.*: \w+ should"):
        config.of(**{**values, name: value})


def test_every_problem_is_named_at_once():
    with pytest.raises(ConfigurationError, match=r"^epochs=0: .*; batch_size=1: .*\b2$"):
        FitConfig.of(epochs=0, batch_size=1)


def test_a_copy_with_changes_is_checked_like_the_first():
    config = FitConfig.of(epochs=3)
    assert config.replace(batch_size=8) == FitConfig.of(epochs=3, batch_size=8)
    assert config == FitConfig.of(epochs=3)
    with pytest.raises(ConfigurationError, match=r"^batch_size=0"):
        config.replace(batch_size=0)
    with pytest.raises(ConfigurationError, match="n_epochs is not an argument"):
        config.replace(n_epochs=3)


def test_defaults_of_the_interface():
    """The numbers of the public interface, which other people's code relies on."""
    config = FitConfig()
    assert (config.w_energy, config.w_cov_diag) == (0.1, 0.005)
    assert (config.epochs, config.batch_size, config.learning_rate) == (20, 64, 1e-4)


@pytest.mark.parametrize("widths", [(12, 4, 1), [12, 4, 1]])
def test_the_last_widths_are_the_code_and_the_components(widths):
    sizes = NetSizes.of(n_features=6, comp_hiddens=widths, est_hiddens=(10, 3))
    assert (sizes.latent_dim, sizes.n_gmm) == (1, 3)


def test_automatic_sizes_are_a_funnel_for_every_width():
    before = None
    for n_features in range(1, 2001):
        sizes = sizes_for(n_features)
        widths = sizes.comp_hiddens
        assert sizes.n_features == n_features
        assert all(wide > narrow >= 1 for wide, narrow in itertools.pairwise(widths))
        assert widths[-1] == sizes.latent_dim
        assert sizes.n_gmm >= 2
        if before is not None:  # wider rows never get a smaller net
            assert widths[0] >= before.comp_hiddens[0]
            assert len(widths) >= len(before.comp_hiddens)
            assert sizes.latent_dim >= before.latent_dim
        before = sizes


@pytest.mark.parametrize("n_features", [12, 50, 300, 2000])
def test_automatic_codes_are_narrower_than_the_rows(n_features):
    assert sizes_for(n_features).latent_dim < n_features


def test_wider_rows_train_for_no_more_steps():
    steps = [steps_for(n_features) for n_features in (1, 199, 200, 201, 400, 800, 10_000)]
    assert steps == sorted(steps, reverse=True)
    assert steps[0] == steps[2] > steps[3] > steps[-1] > 0


@pytest.mark.parametrize("n_features", [0, -1])
def test_rows_without_features_have_no_sizes(n_features):
    with pytest.raises(ConfigurationError, match="n_features="):
        sizes_for(n_features)


@pytest.mark.parametrize(
    "values", [{"parts": ("diagonal",)}, {"principal_components": 3}, {"trim": 0.1}, {"reg": 0.1}]
)
def test_settings_of_a_refit_without_a_refit_are_refused(values):
    (name,) = values
    with pytest.raises(ConfigurationError, match=rf"^{name} would be ignored.*n_components"):
        DensityConfig.of(**values)
    assert getattr(DensityConfig.of(n_components=2, **values), name) == values[name]


def test_a_bound_on_steps_that_are_not_counted_is_refused():
    with pytest.raises(ConfigurationError, match=r"^max_passes bounds n_steps"):
        FitConfig.of(max_passes=3)
    assert FitConfig.of(max_passes=3, n_steps=10).max_passes == 3


def test_epochs_that_are_given_take_the_place_of_counted_steps():
    counted = FitConfig.of(n_steps=10, max_passes=3, batch_size=8)
    assert counted.override(epochs=5) == FitConfig(epochs=5, batch_size=8)
    assert counted.override(n_steps=5, batch_size=2) == counted.replace(n_steps=5, batch_size=2)


@pytest.mark.parametrize("value", ["3", True, np.True_])
@pytest.mark.parametrize("name", ["epochs", "w_energy", "n_steps"])
def test_neither_text_nor_truth_is_a_number(name, value):
    with pytest.raises(ConfigurationError, match=rf"^{name}=.*number"):
        FitConfig.of(**{name: value})


@pytest.mark.parametrize("number", [np.int64(3), np.int32(3), 3, 3.0])
def test_whole_numbers_of_any_kind_are(number):
    assert FitConfig.of(epochs=number) == FitConfig.of(epochs=3)


def test_where_several_kinds_fit_one_problem_is_told():
    with pytest.raises(ConfigurationError, match=r"^jit_compile='x': .*boolean.*, or .*'auto'$"):
        FitConfig.of(jit_compile="x")


def test_infinity_is_text_in_json():
    stored = ThresholdEntry(value=float("inf")).model_dump_json()
    assert ThresholdEntry.model_validate_json(stored).value == float("inf")


def test_what_came_is_told_in_short():
    with pytest.raises(ConfigurationError) as caught:
        FitConfig.of(epochs=np.zeros((100, 100)))
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize("widths", [np.array([8, 2]), iter([8, 2]), range(8, 0, -6)])
def test_widths_come_in_any_sequence(widths):
    sizes = NetSizes.of(n_features=6, comp_hiddens=widths, est_hiddens=(4, 2))
    assert sizes.comp_hiddens == (8, 2)


def test_a_single_width_is_no_sequence():
    with pytest.raises(ConfigurationError, match=r"^comp_hiddens=8: .*tuple$"):
        NetSizes.of(n_features=6, comp_hiddens=8, est_hiddens=(4, 2))
