//! How exactly a matrix is kept and multiplied.

/// The numbers that weights are kept as, and that a product with them multiplies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// f32 as they are.
    #[default]
    F32,
    /// Weights as f16, in half the memory, multiplied as the f32 they are: of weights that fit f16 exactly, as those of
    /// Whisper do, the results are those of f32 to the last bit.
    F16,
    /// Bytes: a scale for every output, and for every row of the input when it comes; sums are exact. A quarter of the
    /// memory, and up to four times the speed. Results differ from those of f32 by about one percent of their size.
    Int8,
    /// Weights of four bits, a scale for every 32 of an output; the input as bytes. Less memory still, and less exact:
    /// results differ by several percent of their size.
    Int4,
}

impl Precision {
    /// Every precision, the most exact first.
    pub const ALL: [Precision; 4] = [Precision::F32, Precision::F16, Precision::Int8, Precision::Int4];

    /// Those of keys and values, which are made while a model runs.
    pub const OF_ATTENTION: [Precision; 2] = [Precision::F32, Precision::Int8];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::F16 => "f16",
            Precision::Int8 => "int8",
            Precision::Int4 => "int4",
        }
    }

    /// What the input of a product with such weights becomes.
    pub(crate) fn of_input(self) -> Precision {
        match self {
            Precision::F32 | Precision::F16 => Precision::F32,
            Precision::Int8 | Precision::Int4 => Precision::Int8,
        }
    }
}

impl std::fmt::Display for Precision {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}
