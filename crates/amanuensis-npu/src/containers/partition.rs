//! AIE_PARTITION: which columns an overlay wants, and its programs.
//!
//! | at | what |
//! |---|---|
//! | 0 | schema, u8 |
//! | 4 | place of the name, u32 |
//! | 8 | operations in a cycle, u32 |
//! | 32 | columns, u16 |
//! | 40 | first columns, list of u16 |
//! | 120 | programs, list of 96 bytes each: UUID, image (list of bytes) at 16, groups at 24 |
//!
//! A list is a count and a place, u32 each, from the beginning of the section. A group has 96 bytes: kind u8 at 4, program u64
//! at 8, kernels (list of u64) at 16.

use super::reading::{ContainerError, byte, half, long, slice, text, uuid, word};

const HEAD: usize = 184;
const PROGRAM: usize = 96;
const GROUP: usize = 96;
/// Bytes of a name that are kept.
const NAME_LIMIT: usize = 256;
/// The only schema there is.
const SCHEMA: u8 = 0;
/// More columns than any array has, and a multiple of those that exist.
const COLUMN_LIMIT: u16 = 128;

/// Columns and programs of an overlay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition<'a> {
    /// Its name.
    pub name: String,
    /// Operations in a cycle of one column.
    pub operations_per_cycle: u32,
    /// How many columns it takes.
    pub columns: u16,
    /// Where it may begin.
    pub first_columns: Vec<u16>,
    /// Its programs.
    pub programs: Vec<Program<'a>>,
}

/// One program: an image, and the kernels that it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program<'a> {
    /// Which it is.
    pub uuid: [u8; 16],
    /// The PDI.
    pub image: &'a [u8],
    /// What it is for.
    pub groups: Vec<Group>,
}

/// A group of a program's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// 1 primary, 2 lite, 3 before and after.
    pub kind: u8,
    /// The program's number.
    pub program: u64,
    /// Kernels that run it.
    pub kernels: Vec<u64>,
}

/// The bytes of a list of elements of a size.
fn list<'a>(
    section: &'a [u8],
    what: &'static str,
    holder: &[u8],
    at: usize,
    element: usize,
) -> Result<&'a [u8], ContainerError> {
    let (count, place) = (word(holder, what, at)?, word(holder, what, at + 4)?);
    slice(section, what, place, u64::from(count) * element as u64)
}

/// Bytes that lists may take together. Lists that lie over each other would make much of few bytes.
struct Budget {
    left: usize,
    all: usize,
}

impl Budget {
    fn take(&mut self, what: &'static str, bytes: usize) -> Result<(), ContainerError> {
        let over =
            ContainerError::Number { what, found: (self.all - self.left + bytes) as u64, limit: self.all as u64 };
        self.left = self.left.checked_sub(bytes).ok_or(over)?;
        Ok(())
    }
}

impl<'a> Partition<'a> {
    /// Reads the section.
    pub fn read(bytes: &'a [u8]) -> Result<Self, ContainerError> {
        slice(bytes, "AIE_PARTITION", 0u64, HEAD as u64)?;
        let schema = byte(bytes, "AIE_PARTITION", 0)?;
        if schema != SCHEMA {
            return Err(ContainerError::Number {
                what: "schema of AIE_PARTITION",
                found: schema.into(),
                limit: SCHEMA.into(),
            });
        }
        let columns = half(bytes, "columns", 32)?;
        if !(1..=COLUMN_LIMIT).contains(&columns) {
            return Err(ContainerError::Number { what: "columns", found: columns.into(), limit: COLUMN_LIMIT.into() });
        }
        let mut budget = Budget { left: bytes.len(), all: bytes.len() };
        let name = word(bytes, "the name of the partition", 4)?;
        let first = list(bytes, "first columns", bytes, 40, 2)?;
        let programs = list(bytes, "programs", bytes, 120, PROGRAM)?;
        let programs = programs.chunks_exact(PROGRAM).map(|program| {
            let image = list(bytes, "the image of a program", program, 16, 1)?;
            let groups = list(bytes, "the groups of a program", program, 24, GROUP)?;
            budget.take("bytes of groups", groups.len())?;
            let groups = groups.chunks_exact(GROUP).map(|group| {
                let kernels = list(bytes, "the kernels of a group", group, 16, 8)?;
                budget.take("bytes of kernels", kernels.len())?;
                Ok(Group {
                    kind: byte(group, "a group", 4)?,
                    program: long(group, "a group", 8)?,
                    kernels: kernels.chunks_exact(8).map(|id| long(id, "a kernel", 0)).collect::<Result<_, _>>()?,
                })
            });
            let groups = groups.collect::<Result<_, ContainerError>>()?;
            Ok(Program { uuid: uuid(program, "a program", 0)?, image, groups })
        });
        Ok(Self {
            programs: programs.collect::<Result<_, ContainerError>>()?,
            // Absent where its place is zero, or outside.
            name: bytes
                .get(name as usize..)
                .filter(|_| name > 0)
                .map(|name| text(&name[..name.len().min(NAME_LIMIT)]))
                .unwrap_or_default(),
            operations_per_cycle: word(bytes, "operations in a cycle", 8)?,
            columns,
            first_columns: first.chunks_exact(2).map(|column| u16::from_le_bytes([column[0], column[1]])).collect(),
        })
    }

    /// The program that runs a kernel.
    pub fn program_of(&self, kernel: u16) -> Option<&Program<'a>> {
        let runs = |program: &&Program<'_>| program.groups.iter().any(|group| group.kernels.contains(&kernel.into()));
        self.programs.iter().find(runs)
    }
}

impl Partition<'_> {
    /// Writes a synthetic section of it.
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = vec![0; HEAD];
        let put = |bytes: &mut Vec<u8>, at: usize, value: u32| bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        let append = |bytes: &mut Vec<u8>, content: &[u8]| {
            bytes.resize(bytes.len().next_multiple_of(8), 0);
            let at = bytes.len() as u32;
            bytes.extend_from_slice(content);
            at
        };
        put(&mut bytes, 8, self.operations_per_cycle);
        bytes[32..34].copy_from_slice(&self.columns.to_le_bytes());
        if !self.name.is_empty() {
            let name = append(&mut bytes, format!("{}\0", self.name).as_bytes());
            put(&mut bytes, 4, name);
        }
        let first: Vec<u8> = self.first_columns.iter().flat_map(|column| column.to_le_bytes()).collect();
        let first = append(&mut bytes, &first);
        put(&mut bytes, 40, self.first_columns.len() as u32);
        put(&mut bytes, 44, first);
        let programs = append(&mut bytes, &vec![0; self.programs.len() * PROGRAM]);
        put(&mut bytes, 120, self.programs.len() as u32);
        put(&mut bytes, 124, programs);
        for (index, program) in self.programs.iter().enumerate() {
            let at = programs as usize + index * PROGRAM;
            bytes[at..at + 16].copy_from_slice(&program.uuid);
            let image = append(&mut bytes, program.image);
            put(&mut bytes, at + 16, program.image.len() as u32);
            put(&mut bytes, at + 20, image);
            let groups = append(&mut bytes, &vec![0; program.groups.len() * GROUP]);
            put(&mut bytes, at + 24, program.groups.len() as u32);
            put(&mut bytes, at + 28, groups);
            for (index, group) in program.groups.iter().enumerate() {
                let at = groups as usize + index * GROUP;
                bytes[at + 4] = group.kind;
                bytes[at + 8..at + 16].copy_from_slice(&group.program.to_le_bytes());
                let kernels: Vec<u8> = group.kernels.iter().flat_map(|kernel| kernel.to_le_bytes()).collect();
                let kernels = append(&mut bytes, &kernels);
                put(&mut bytes, at + 16, group.kernels.len() as u32);
                put(&mut bytes, at + 20, kernels);
            }
        }
        bytes
    }
}
