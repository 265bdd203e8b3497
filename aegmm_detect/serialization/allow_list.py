"""The allow-list: objects of Keras and functions of TensorFlow that a configuration may name.

What is here computes, and does no more. Left out are objects that call functions from among their
arguments (loops, branches, maps), that make tensors of any size out of nothing, that read files or
vocabularies, or that hold code.
"""

import functools
import importlib
from collections.abc import Mapping
from typing import Any, Final

import keras

_LAYERS: Final = (
    # Core, activations and normalisation.
    "Activation ActivityRegularization Dense EinsumDense Embedding Identity InputLayer Masking "
    "ELU LeakyReLU PReLU ReLU Softmax "
    "BatchNormalization GroupNormalization LayerNormalization Normalization RMSNormalization "
    "SpectralNormalization UnitNormalization "
    # Regularisation.
    "AlphaDropout Dropout GaussianDropout GaussianNoise "
    "SpatialDropout1D SpatialDropout2D SpatialDropout3D "
    # Shapes.
    "Cropping1D Cropping2D Cropping3D Flatten Permute RepeatVector Reshape "
    "UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D "
    # Convolution and pooling.
    "Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose DepthwiseConv1D "
    "DepthwiseConv2D SeparableConv1D SeparableConv2D "
    "AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D "
    "AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D "
    "AveragePooling1D AveragePooling2D AveragePooling3D MaxPooling1D MaxPooling2D MaxPooling3D "
    "GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D "
    "GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D "
    # Recurrence and attention.
    "Bidirectional ConvLSTM1D ConvLSTM2D ConvLSTM3D GRU GRUCell LSTM LSTMCell RNN SimpleRNN "
    "SimpleRNNCell StackedRNNCells TimeDistributed "
    "AdditiveAttention Attention GroupQueryAttention MultiHeadAttention "
    # Merging.
    "Add Average Concatenate Dot Maximum Minimum Multiply Subtract "
    # Numbers and pictures as they come.
    "CategoryEncoding CenterCrop Rescaling Resizing RandomBrightness RandomContrast RandomCrop "
    "RandomFlip RandomRotation RandomTranslation RandomZoom"
)
_CLASSES: Final = {
    "keras": "Model Sequential DTypePolicy",
    "keras.models": "Model Sequential",
    "keras.layers": _LAYERS,
    "keras.dtype_policies": "DTypePolicy",
    "keras.initializers": (
        "Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity IdentityInitializer "
        "LecunNormal LecunUniform Ones Orthogonal OrthogonalInitializer RandomNormal RandomUniform "
        "TruncatedNormal VarianceScaling Zeros"
    ),
    "keras.regularizers": "L1 L1L2 L2 OrthogonalRegularizer",
    "keras.constraints": "MaxNorm MinMaxNorm NonNeg UnitNorm",
    # What a functional model writes of itself, and of operations on its tensors.
    "keras.src.models.functional": "Functional",
    "keras.src.ops.core": "Cast SaturateCast Slice StopGradient Unstack",
    "keras.src.ops.numpy": (
        "Abs Absolute Add All Amax Amin Any Append Arccos Arccosh Arcsin Arcsinh Arctan Arctan2 "
        "Arctanh Argmax Argmin Argsort Average BroadcastTo Cbrt Ceil Clip Concatenate Copy Cos "
        "Cosh CountNonzero Cross Cumprod Cumsum Deg2rad Diagonal Diff Digitize Divide DivideNoNan "
        "Dot Dstack Einsum Equal Exp Exp2 ExpandDims Expm1 Fabs Flip Fliplr Flipud Floor "
        "FloorDivide Fmax Fmin Fmod FullLike GetItem Greater GreaterEqual Heaviside Hstack Hypot "
        "I0 Inner Isclose Isfinite Isinf Isnan Isneginf Isposinf Kron Less LessEqual Log Log10 "
        "Log1p Log2 Logaddexp Logaddexp2 LogicalAnd LogicalNot LogicalOr LogicalXor Matmul Max "
        "Maximum Mean Median Min Minimum Mod Moveaxis Multiply NanToNum Nanmax Nanmean Nanmedian "
        "Nanmin Nanprod Nanstd Nansum Nanvar Negative NotEqual OnesLike Outer Pad Percentile Power "
        "Prod Ptp Quantile Rad2deg Ravel Real Reciprocal Repeat Reshape Roll Rot90 Round "
        "SearchSorted Select Sign Signbit Sin Sinc Sinh Sort Split Sqrt Square Squeeze Stack Std "
        "Subtract Sum Swapaxes Take TakeAlongAxis Tan Tanh Tensordot Tile Trace Transpose "
        "Trapezoid Tril Triu TrueDivide Trunc Var Vdot Vstack Where ZerosLike"
    ),
    "keras.src.ops.nn": (
        "AdaptiveAveragePool AdaptiveMaxPool AveragePool BatchNorm BinaryCrossentropy "
        "CategoricalCrossentropy Celu Conv ConvTranspose DepthToSpace DepthwiseConv "
        "Elu Gelu Glu HardShrink HardSigmoid HardSilu HardTanh LayerNorm "
        "LeakyRelu LogSigmoid LogSoftmax MaxPool Moments Normalize OneHot RMSNorm Relu Relu6 Selu "
        "SeparableConv Sigmoid Silu SoftShrink Softmax Softplus Softsign SpaceToDepth SparsePlus "
        "SparseSigmoid Sparsemax Squareplus TanhShrink Threshold"
    ),
    "keras.src.ops.math": "Erf Erfc Erfinv Logsumexp Rsqrt",
    "keras.src.ops.linalg": "Cholesky Det Inv Norm Solve SolveTriangular",
    "keras.src.ops.image": "CropImages PadImages RGBToGrayscale Resize",
}
_ACTIVATIONS = (
    "celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh "
    "leaky_relu linear log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink "
    "softmax softplus softsign sparse_plus sparse_sigmoid sparsemax squareplus swish tanh "
    "tanh_shrink threshold"
)
_OF_ONE_TENSOR = "abs cos erf exp expm1 floor log log1p round rsqrt sign sin sinh sqrt square tan"
# By the name under which users know them. Where two names are one function, the first counts.
_FUNCTIONS: Final = {
    "keras.activations": _ACTIVATIONS,
    "keras.ops": (
        f"{_ACTIVATIONS} {_OF_ONE_TENSOR} absolute arcsinh arctan cosh exp2 logaddexp negative "
        "normalize reciprocal relu sigmoid stop_gradient"
    ),
    "tensorflow.nn": (
        "crelu elu gelu l2_normalize leaky_relu log_softmax relu relu6 selu sigmoid silu softmax "
        "softplus softsign swish tanh"
    ),
    "tensorflow.math": (
        f"{_OF_ONE_TENSOR} asinh atan cosh log_sigmoid negative reciprocal sigmoid softplus tanh"
    ),
    "tensorflow": "identity stop_gradient",
}


@functools.cache
def classes() -> Mapping[str, type]:
    """Listed classes by their full name, as far as this release of Keras has them."""
    return _resolved(_CLASSES)


@functools.cache
def functions() -> Mapping[str, Any]:
    """Listed functions by their full name."""
    return _resolved(_FUNCTIONS)


@functools.cache
def _names_of_functions() -> Mapping[int, str]:
    # Backwards: of several names of one function, the first is the one that stays.
    return {id(function): name for name, function in reversed([*functions().items()])}


def name_of_function(function: Any) -> str | None:
    """Full name of a listed function; None for any other."""
    return _names_of_functions().get(id(function))


def activations() -> tuple[str, ...]:
    """Names of activations that Keras's layers take as text."""
    return tuple(_ACTIVATIONS.split())


def is_activation(name: object, function: Any) -> bool:
    """Whether Keras's layers take the bare `name` for this very function."""
    return name in activations() and keras.activations.get(name) is function


def _resolved(names: Mapping[str, str]) -> dict[str, Any]:
    found = {}
    for module, listed in names.items():
        holder = importlib.import_module(module)
        for name in listed.split():
            if (value := getattr(holder, name, None)) is not None:
                found[f"{module}.{name}"] = value
    return found
