//! Tiles of bytes on processors that multiply a whole one with another in one instruction (AMX), as assembly, because
//! Rust 1.95 keeps the intrinsics for itself.
//!
//! ```text
//! tile of the left side   R rows of a chunk, 64 bytes each: as they lie in the packed tile
//! tile of weights         16 cells deep, 16 outputs wide: half the width of a packed panel
//! tile of sums            R x 16, two beside each other for a panel
//! ```
//!
//! Everything but products of bytes with several rows is that of `avx512-vnni`, and so is what is made of the sums. It has
//! never run on a processor: the tests of bytes pass where the faults of these instructions are answered by emulating
//! them.

use std::arch::asm;
use std::mem::MaybeUninit;

use super::AVX512_VNNI;
use super::avx512::Wide;
use crate::generic::Vector;
use crate::generic::product::{CHUNK, Finish, Product, panel};
use crate::isa::Isa;
use crate::kernels::Kernels;

pub(crate) static AMX: Kernels = Kernels { isa: Isa::Amx, product_of_bytes, ..AVX512_VNNI };

/// With fewer rows a tile of weights takes longer to load than to multiply, and registers do as well.
const FEWEST_ROWS: usize = 4;

/// Bytes of a chunk of cells: the longest row of a tile.
const LINE: usize = 4 * CHUNK;

/// Outputs of a panel.
const PANEL: usize = panel::<Wide>();

/// Panels whose sums wait together: 128 outputs of 12 rows are 6 KB.
const TOGETHER: usize = 4;

/// The sums of a row of [`TOGETHER`] panels.
type Row = [i32; TOGETHER * PANEL];

/// What sums start from that start from nothing.
static ZEROS: [i32; PANEL] = [0; PANEL];

/// The shapes of the eight tiles, as `ldtilecfg` reads them.
#[repr(C, align(64))]
pub(crate) struct Shapes {
    palette: u8,
    first_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

impl Shapes {
    /// Two tiles of sums; a left side and two of weights for whole chunks; the same for `rest` cells behind them.
    pub(crate) fn new(rows: usize, rest: usize) -> Shapes {
        // A tile that is not needed has neither rows nor bytes; one of them alone is refused.
        let (rows_of_rest, line_of_rest) = if rest == 0 { (0, 0) } else { (rows, LINE) };
        let sizes = [
            (rows, LINE),
            (rows, LINE),
            (rows, LINE),
            (CHUNK, LINE),
            (CHUNK, LINE),
            (rows_of_rest, 4 * rest),
            (rest, line_of_rest),
            (rest, line_of_rest),
        ];
        let mut shapes = Shapes { palette: 1, first_row: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
        for (tile, (rows, row_bytes)) in sizes.into_iter().enumerate() {
            shapes.rows[tile] = rows as u8;
            shapes.row_bytes[tile] = row_bytes as u16;
        }
        shapes
    }
}

/// As the product of any instruction set.
unsafe fn product_of_bytes(job: &Product) {
    // SAFETY: the caller keeps the contract of Product, and the processor has these instructions (Kernels::new).
    unsafe {
        if job.rows < FEWEST_ROWS {
            return (AVX512_VNNI.product_of_bytes)(job);
        }
        let shapes = Shapes::new(job.rows, job.inner % CHUNK);
        asm!("ldtilecfg [{shapes}]", shapes = in(reg) &shapes, options(nostack, preserves_flags));
        let mut sums = [const { MaybeUninit::<Row>::uninit() }; Wide::TILE];
        for first in (0..job.panels).step_by(TOGETHER) {
            let panels = TOGETHER.min(job.panels - first);
            for panel in 0..panels {
                sum_panel(job, first + panel, sums.as_mut_ptr().cast::<i32>().add(panel * PANEL));
            }
            finish(job, first, panels, &sums);
        }
        // A tile that is in use is saved and read back whenever the system changes threads.
        asm!("tilerelease", options(nomem, nostack, preserves_flags));
    }
}

/// The sums of the job's rows with one panel, a [`Row`] apart.
unsafe fn sum_panel(job: &Product, panel: usize, sums: *mut i32) {
    let starts = if job.starts.is_null() { ZEROS.as_ptr() } else { job.starts.wrapping_add(panel * PANEL) };
    // SAFETY: reads inner x rows cells of the left side, inner x PANEL cells of weights and PANEL starts, as the contract
    // of Product allows; writes PANEL sums of every row. The shapes of the tiles are loaded. The instructions that work on
    // tiles take the distance of two rows as the index of the address.
    unsafe {
        asm!(
            "tileloadd tmm0, [{starts} + {none}*1]",
            "tileloadd tmm1, [{starts} + {none}*1 + 64]",
            "test {chunks}, {chunks}",
            "jz 3f",
            "2:",
            "tileloadd tmm2, [{left} + {left_row}*1]",
            "tileloadd tmm3, [{weights} + {weights_row}*1]",
            "tileloadd tmm4, [{weights} + {weights_row}*1 + 64]",
            "tdpbusd tmm0, tmm2, tmm3",
            "tdpbusd tmm1, tmm2, tmm4",
            "add {left}, {left_chunk}",
            "add {weights}, {WEIGHTS_CHUNK}",
            "dec {chunks}",
            "jnz 2b",
            "3:",
            "test {rest}, {rest}",
            "jz 4f",
            "tileloadd tmm5, [{left} + {left_row}*1]",
            "tileloadd tmm6, [{weights} + {weights_row}*1]",
            "tileloadd tmm7, [{weights} + {weights_row}*1 + 64]",
            "tdpbusd tmm0, tmm5, tmm6",
            "tdpbusd tmm1, tmm5, tmm7",
            "4:",
            "tilestored [{sums} + {sums_row}*1], tmm0",
            "tilestored [{sums} + {sums_row}*1 + 64], tmm1",
            starts = in(reg) starts,
            none = in(reg) 0_usize,
            left = inout(reg) job.left => _,
            left_row = in(reg) LINE,
            left_chunk = in(reg) job.rows * LINE,
            weights = inout(reg) job.right.add(panel * job.panel_stride) => _,
            weights_row = in(reg) 4 * PANEL,
            WEIGHTS_CHUNK = const PANEL * LINE,
            chunks = inout(reg) job.inner / CHUNK => _,
            rest = in(reg) job.inner % CHUNK,
            sums = in(reg) sums,
            sums_row = in(reg) size_of::<Row>(),
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}

/// Row by row, as a product of nothing that starts from the sums.
unsafe fn finish(job: &Product, first: usize, panels: usize, sums: &[MaybeUninit<Row>; Wide::TILE]) {
    let column = first * PANEL;
    for (row, sums) in sums.iter().enumerate().take(job.rows) {
        // SAFETY: the sums of these rows and panels were written. The rest is that part of the job which belongs to this
        // row and to the columns of these panels, of which the first begins sixteen columns.
        unsafe {
            let offset = row * job.row_stride + column / CHUNK * job.chunk_stride;
            let from = |numbers: *const f32| if numbers.is_null() { numbers } else { numbers.add(column) };
            let finish = match job.finish {
                Finish::GeluPlus(addend) => Finish::GeluPlus(addend.add(offset)),
                Finish::Fade(factors) => Finish::Fade(factors.add(row)),
                Finish::Store | Finish::Gelu | Finish::RoughGelu | Finish::Add => job.finish,
            };
            (AVX512_VNNI.product_of_bytes)(&Product {
                rows: 1,
                inner: 0,
                panels,
                starts: sums.as_ptr().cast(),
                row_scales: if job.row_scales.is_null() { job.row_scales } else { job.row_scales.add(row) },
                column_scales: from(job.column_scales),
                bias: from(job.bias),
                out: job.out.add(offset),
                columns: job.columns.saturating_sub(column),
                finish,
                ..*job
            });
        }
    }
}

const _: () = assert!(PANEL == 2 * CHUNK && size_of::<Shapes>() == 64);

/// What the processor lacks for AMX, or the system, which must be asked once whether a process may use the tiles.
pub(crate) fn absent() -> Vec<&'static str> {
    let features = if std::arch::x86_64::__cpuid(0).eax < 7 { 0 } else { std::arch::x86_64::__cpuid_count(7, 0).edx };
    let mut absent = Vec::new();
    if features >> 24 & 1 == 0 {
        absent.push("amx-tile");
    }
    if features >> 25 & 1 == 0 {
        absent.push("amx-int8");
    }
    if absent.is_empty() && !permitted() {
        absent.push("the system's permission to use tiles");
    }
    absent
}

/// Asks Linux for the tiles' state, which it makes room for on demand only. Asking again changes nothing.
#[cfg(target_os = "linux")]
fn permitted() -> bool {
    const ARCH_PRCTL: usize = 158;
    const REQUEST_PERMISSION: usize = 0x1023;
    const TILE_DATA: usize = 18;
    let result: isize;
    // SAFETY: the call reads and writes no memory of this process.
    unsafe {
        asm!(
            "syscall",
            inout("rax") ARCH_PRCTL => result,
            in("rdi") REQUEST_PERMISSION,
            in("rsi") TILE_DATA,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    result == 0
}

/// Nobody has looked into what other systems want to be asked.
#[cfg(not(target_os = "linux"))]
fn permitted() -> bool {
    false
}
