//! The only names that a pickle of weights may say.

use crate::model::Dtype;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Class {
    OrderedDict,
    /// A tensor over a storage.
    Tensor,
    /// A tensor that was trained; what Python keeps of it besides is not needed.
    Parameter,
    /// A list of sizes.
    Size,
    /// A kind of storage.
    Storage(Dtype),
    /// A kind of numbers, where it is only said and nothing is made of it.
    Kind,
}

const STORAGES: [(&str, Dtype); 10] = [
    ("DoubleStorage", Dtype::F64),
    ("FloatStorage", Dtype::F32),
    ("HalfStorage", Dtype::F16),
    ("BFloat16Storage", Dtype::BF16),
    ("LongStorage", Dtype::I64),
    ("IntStorage", Dtype::I32),
    ("ShortStorage", Dtype::I16),
    ("CharStorage", Dtype::I8),
    ("ByteStorage", Dtype::U8),
    ("BoolStorage", Dtype::Bool),
];

const KINDS: [&str; 10] =
    ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"];

/// What a name stands for, if it is one of those that weights need.
pub(super) fn class(module: &str, name: &str) -> Option<Class> {
    match (module, name) {
        ("collections", "OrderedDict") => Some(Class::OrderedDict),
        ("torch._utils", "_rebuild_tensor_v2") => Some(Class::Tensor),
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Some(Class::Parameter),
        ("torch", "Size") => Some(Class::Size),
        ("torch", kind) if KINDS.contains(&kind) => Some(Class::Kind),
        ("torch", storage) => {
            STORAGES.iter().find(|(known, _)| *known == storage).map(|(_, dtype)| Class::Storage(*dtype))
        }
        _ => None,
    }
}
