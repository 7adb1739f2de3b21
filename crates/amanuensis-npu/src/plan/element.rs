//! Numbers: how they lie in memory, and how cores multiply them.

/// A kind of number in the host's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Element {
    /// 8 bits, signed.
    Int8,
    /// 16 bits, signed.
    Int16,
    /// 32 bits, signed.
    Int32,
    /// The upper half of an f32.
    Bf16,
    /// Single precision.
    F32,
}

impl Element {
    /// Bytes of one.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Int8 => 1,
            Self::Int16 | Self::Bf16 => 2,
            Self::Int32 | Self::F32 => 4,
        }
    }

    /// How many fill a word.
    pub const fn per_word(self) -> u64 {
        4 / self.bytes()
    }

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Bf16 => "bf16",
            Self::F32 => "f32",
        }
    }
}

/// How products are summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arithmetic {
    /// Integers, exactly.
    Integer,
    /// f32 sums of products of bf16.
    Float,
    /// The same of numbers that share an exponent by eights and keep 8 bits each.
    BlockFloat,
}

/// What is multiplied and what comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Operands {
    /// Both factors.
    pub input: Element,
    /// The product.
    pub output: Element,
    /// How products are summed.
    pub arithmetic: Arithmetic,
}

impl Operands {
    /// Bytes to 32 bits.
    pub const INT8: Self = Self { input: Element::Int8, output: Element::Int32, arithmetic: Arithmetic::Integer };
    /// 16 to 32 bits.
    pub const INT16: Self = Self { input: Element::Int16, output: Element::Int32, arithmetic: Arithmetic::Integer };
    /// bf16 to bf16.
    pub const BF16: Self = Self { input: Element::Bf16, output: Element::Bf16, arithmetic: Arithmetic::Float };
    /// bf16 to f32.
    pub const BF16_TO_F32: Self = Self { input: Element::Bf16, output: Element::F32, arithmetic: Arithmetic::Float };
    /// bf16 to bf16 through blocks with an exponent each.
    pub const BFP16: Self = Self { input: Element::Bf16, output: Element::Bf16, arithmetic: Arithmetic::BlockFloat };
    /// bf16 to f32 through blocks with an exponent each.
    pub const BFP16_TO_F32: Self =
        Self { input: Element::Bf16, output: Element::F32, arithmetic: Arithmetic::BlockFloat };

    /// Whether there are cores for it.
    pub const fn exist(self) -> bool {
        match self.arithmetic {
            Arithmetic::Integer => {
                matches!(self.input, Element::Int8 | Element::Int16) && matches!(self.output, Element::Int32)
            }
            Arithmetic::Float | Arithmetic::BlockFloat => {
                matches!(self.input, Element::Bf16) && matches!(self.output, Element::Bf16 | Element::F32)
            }
        }
    }
}

/// How cores round what does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// To the nearest, halves to even: what a core must be told to do.
    ConvergentEven,
    /// Down: what a core does that was told nothing.
    Floor,
}

/// The product that a core has an instruction for: r x s times s x t.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Micro {
    /// Rows of the left factor.
    pub r: usize,
    /// What is summed over.
    pub s: usize,
    /// Columns of the right factor.
    pub t: usize,
}

/// In which order the right factor lies in the host's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WeightOrder {
    /// Row by row, as a matrix. Reading it in tiles is several times slower.
    Matrix,
    /// Column of cores by column of cores, tile by tile as they are used, each row by row.
    Tiles,
    /// The same, each tile in the blocks of the core's instruction: block row by block row, each block row by row.
    MicroTiles,
}
