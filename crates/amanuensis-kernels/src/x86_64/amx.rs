//! Tiles of bytes on processors that multiply a whole one with another in one instruction (AMX), as assembly, because
//! Rust 1.95 keeps the intrinsics for itself.
//!
//! ```text
//! left     two tiles of a chunk, each half of the rows (16 at most) of 64 bytes: as they lie in the packed tile
//! weights  two tiles, 16 cells deep and 16 outputs wide: the halves of a packed panel
//! sums     four tiles of as many rows x 16 outputs, [row][half] in memory
//! ```
//!
//! A tile takes as long to read from the nearest cache as half a product takes, so four products for four tiles keep the
//! multiplier busy, where two for three would not.
//!
//! Everything but products of bytes with several rows is that of `avx512-vbmi`, and so is what is made of the sums.

use std::arch::asm;
use std::arch::x86_64::__m512i;
use std::mem::MaybeUninit;

use super::AVX512_VBMI;
use super::amx_attend;
use super::avx512::Wide;
use super::avx512_vnni::Whole;
use crate::generic::Vector;
use crate::generic::arithmetic::Bytes;
use crate::generic::attend::Attend;
use crate::generic::product::{CHUNK, Product, finish, panel};
use crate::isa::Isa;
use crate::kernels::Kernels;

pub(crate) static AMX: Kernels =
    Kernels { isa: Isa::Amx, tile_of_bytes: 2 * TILE_ROWS, product_of_bytes, attend, ..AVX512_VBMI };

/// The most rows a tile can have.
const TILE_ROWS: usize = 16;

/// As many rows as registers hold the sums of are multiplied there: the weights come from memory then, and are fetched
/// ahead. A step of the decoder of whisper-base with 8 windows took 0.92 of the time that tiles took.
const FEWEST_ROWS: usize = Wide::TILE + 1;

/// Bytes of a chunk of cells: the longest row of a tile.
const LINE: usize = 4 * CHUNK;

/// Outputs of a panel.
const PANEL: usize = panel::<Wide>();

/// Bytes of a chunk of cells of a panel.
const PANEL_CHUNK: usize = PANEL * LINE;

/// The sums of a panel.
type Sums = [MaybeUninit<Whole>; 2 * TILE_ROWS * 2];

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
    /// Of two rows or more. Tiles 0 and 1 are of the sums of the first half of them, 2 and 3 of those of the second; 4 and 5
    /// of left sides, 6 and 7 of weights.
    pub(crate) fn new(rows: usize) -> Shapes {
        let first = first_half(rows);
        let second = rows - first;
        let mut shapes = Shapes { palette: 1, first_row: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
        for (tile, rows) in [first, first, second, second, first, second, CHUNK, CHUNK].into_iter().enumerate() {
            shapes.rows[tile] = rows as u8;
            shapes.row_bytes[tile] = LINE as u16;
        }
        shapes
    }
}

/// How many of so many rows the first of two tiles takes.
fn first_half(rows: usize) -> usize {
    rows.div_ceil(2)
}

/// As the product of any instruction set.
unsafe fn product_of_bytes(job: &Product) {
    // SAFETY: the caller keeps the contract of Product, and the processor has these instructions (Kernels::new).
    unsafe {
        if job.rows < FEWEST_ROWS {
            return (AVX512_VBMI.product_of_bytes)(job);
        }
        load_shapes(job.rows);
        product_in_shape(job);
        release();
    }
}

/// As the attention of any instruction set.
unsafe fn attend(job: &Attend) {
    // SAFETY: the caller keeps the contract of Attend, and the processor has these instructions (Kernels::new).
    unsafe {
        if job.rows >= FEWEST_ROWS && job.size == amx_attend::SIZE && job.kept.is_null() {
            load_shapes(2 * TILE_ROWS);
            amx_attend::attend(job);
            release();
        } else {
            for first in (0..job.rows).step_by(Wide::TILE) {
                (AVX512_VBMI.attend)(&Attend {
                    queries: job.queries.add(first * job.query_stride),
                    rows: Wide::TILE.min(job.rows - first),
                    out: job.out.add(first * job.out_stride),
                    kept: if job.kept.is_null() { job.kept } else { job.kept.add(first * job.kept_stride) },
                    ..*job
                });
            }
        }
    }
}

/// Makes tiles ready for products of so many rows.
unsafe fn load_shapes(rows: usize) {
    let shapes = Shapes::new(rows);
    // SAFETY: these are shapes the processor has.
    unsafe { asm!("ldtilecfg [{shapes}]", shapes = in(reg) &shapes, options(nostack, preserves_flags, readonly)) }
}

/// A tile that is in use is saved and read back whenever the system changes threads.
unsafe fn release() {
    // SAFETY: the tiles hold nothing that is wanted.
    unsafe { asm!("tilerelease", options(nomem, nostack, preserves_flags)) }
}

/// Parts of a panel: what is multiplied of one of them is issued before what is finished of the one before.
const PARTS: usize = 8;

/// A product of as many rows as the tiles are shaped for. While a panel is multiplied, the sums of the one before become
/// numbers, in turns of a few instructions, so that neither waits for the other.
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx512vnni,avx2,fma")]
unsafe fn product_in_shape(job: &Product) {
    let mut sums: Sums = [const { MaybeUninit::uninit() }; 2 * TILE_ROWS * 2];
    let (chunks, rest) = (job.inner / CHUNK, job.inner % CHUNK);
    // SAFETY: panels of `inner` x PANEL cells, and as many starts; the sums of a panel are stored before they are finished.
    unsafe {
        for panel in 0..=job.panels {
            let weights = job.right.wrapping_add(panel * job.panel_stride);
            let multiplied = panel < job.panels;
            if multiplied {
                start(if job.starts.is_null() { job.starts } else { job.starts.add(panel * PANEL) });
            }
            for part in 0..PARTS {
                if multiplied {
                    let first = chunks * part / PARTS;
                    let here = chunks * (part + 1) / PARTS - first;
                    multiply(job, first, weights.add(first * CHUNK * PANEL), here);
                }
                if panel > 0 {
                    let rows = job.rows * part / PARTS..job.rows * (part + 1) / PARTS;
                    finish::<Bytes<Whole>>(job, panel - 1, 1, rows, &sums);
                }
            }
            if multiplied {
                if rest > 0 {
                    multiply_rest(job, chunks, weights.add(chunks * CHUNK * PANEL), rest);
                }
                store(job.rows, sums.as_mut_ptr().cast());
            }
        }
    }
}

/// Sums from `starts`, PANEL of them, or from zero where that is null.
///
/// What is in a tile stays there until [`store`]: the compiler knows of no instruction that touches one.
#[inline(always)]
unsafe fn start(starts: *const i32) {
    // SAFETY: the caller has the starts; the shapes are loaded.
    unsafe {
        if starts.is_null() {
            asm!("tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3", options(nomem, nostack));
        } else {
            asm!(
                "tileloadd tmm0, [{starts} + {none}*1]",
                "tileloadd tmm1, [{starts} + {none}*1 + 64]",
                "tileloadd tmm2, [{starts} + {none}*1]",
                "tileloadd tmm3, [{starts} + {none}*1 + 64]",
                starts = in(reg) starts,
                none = in(reg) 0_usize,
                options(nostack, preserves_flags, readonly),
            );
        }
    }
}

/// Fetches the weights of a chunk some chunks ahead.
macro_rules! fetch {
    ($($line:literal)*) => { concat!($("prefetcht0 [{weights} + {AHEAD} + ", $line, "]\n"),*) };
}

/// Adds the products of some chunks of the left side, from the `first`, with as many of weights.
#[inline(always)]
unsafe fn multiply(job: &Product, first: usize, weights: *const u32, chunks: usize) {
    if chunks == 0 {
        return;
    }
    // SAFETY: the caller has the chunks; the shapes are loaded. The instructions that work on tiles take the distance of two
    // rows as the index of the address.
    unsafe {
        let left = job.left.add(first * job.rows * CHUNK);
        asm!(
            "2:",
            "tileloadd tmm6, [{weights} + {panel_row}*1]",
            "tileloadd tmm4, [{left} + {left_row}*1]",
            "tileloadd tmm7, [{weights} + {panel_row}*1 + 64]",
            "tileloadd tmm5, [{second_left} + {left_row}*1]",
            "tdpbusd tmm0, tmm4, tmm6",
            fetch!(0 64 128 192 256 320 384 448),
            "tdpbusd tmm1, tmm4, tmm7",
            fetch!(512 576 640 704 768 832 896 960),
            "tdpbusd tmm2, tmm5, tmm6",
            fetch!(1024 1088 1152 1216 1280 1344 1408 1472),
            "tdpbusd tmm3, tmm5, tmm7",
            fetch!(1536 1600 1664 1728 1792 1856 1920 1984),
            "add {left}, {left_chunk}",
            "add {second_left}, {left_chunk}",
            "add {weights}, {PANEL_CHUNK}",
            "dec {chunks}",
            "jnz 2b",
            left = inout(reg) left => _,
            second_left = inout(reg) left.add(first_half(job.rows) * CHUNK) => _,
            left_row = in(reg) LINE,
            left_chunk = in(reg) job.rows * LINE,
            weights = inout(reg) weights => _,
            panel_row = in(reg) 4 * PANEL,
            chunks = inout(reg) chunks => _,
            AHEAD = const 4 * PANEL_CHUNK,
            PANEL_CHUNK = const PANEL_CHUNK,
            options(nostack, readonly),
        );
    }
}

/// The same with the last, of which there are `rest` cells: the left side has whole chunks, and what stands there behind the
/// end is multiplied with zeros.
#[cold]
unsafe fn multiply_rest(job: &Product, chunk: usize, weights: *const u32, rest: usize) {
    let mut whole = [0_u32; CHUNK * PANEL];
    // SAFETY: the caller has `rest` x PANEL cells of weights, fewer than a chunk.
    unsafe {
        std::ptr::copy_nonoverlapping(weights, whole.as_mut_ptr(), rest * PANEL);
        multiply(job, chunk, whole.as_ptr(), 1);
    }
}

/// Writes the sums, PANEL of every row.
#[inline(always)]
unsafe fn store(rows: usize, sums: *mut __m512i) {
    // SAFETY: the caller has room for them; the shapes are loaded.
    unsafe {
        asm!(
            "tilestored [{sums} + {panel_row}*1], tmm0",
            "tilestored [{sums} + {panel_row}*1 + 64], tmm1",
            "tilestored [{second_sums} + {panel_row}*1], tmm2",
            "tilestored [{second_sums} + {panel_row}*1 + 64], tmm3",
            sums = in(reg) sums,
            second_sums = in(reg) sums.add(2 * first_half(rows)),
            panel_row = in(reg) 4 * PANEL,
            options(nostack, preserves_flags),
        );
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
