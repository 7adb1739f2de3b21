//! Instruction sets have names and an order, are refused where they are missing, and their roofs run where their kernels do.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use amanuensis_kernels::roof::Roofs;
use amanuensis_kernels::{Isa, Kernels};

#[test]
fn words_name_instruction_sets() {
    for isa in Isa::ALL {
        assert_eq!(isa.name().parse(), Ok(isa));
    }
    assert_eq!(" AVX2 ".parse(), Ok(Isa::Avx2));
    let message = "mmx".parse::<Isa>().unwrap_err().to_string();
    assert!(message.contains("`mmx`") && message.contains("scalar"), "{message}");
}

#[test]
fn the_widest_available_is_preferred() {
    assert!(Isa::ALL.is_sorted());
    assert_eq!(Some(Isa::widest()), Isa::available().into_iter().max());
    // Dot products of bytes before the same width without them, and any width before a narrower one.
    assert!(Isa::Neon < Isa::NeonDot && Isa::Avx2 < Isa::AvxVnni);
    assert!(Isa::AvxVnni < Isa::Avx512 && Isa::Avx512 < Isa::Avx512Vnni && Isa::Avx512Vnni < Isa::Avx512Vbmi);
}

#[test]
fn no_processor_has_the_vectors_of_another_architecture() {
    for isa in Isa::ALL {
        let lacks = isa.lacks();
        let foreign = lacks.iter().any(|what| what.ends_with(" processor"));
        let of_arm = matches!(isa, Isa::Neon | Isa::NeonDot);
        let of_x86 = !of_arm && isa != Isa::Scalar;
        let expected = (of_arm && !cfg!(target_arch = "aarch64")) || (of_x86 && !cfg!(target_arch = "x86_64"));
        assert_eq!(foreign, expected, "{isa} lacks {lacks:?}");
    }
}

#[test]
fn the_absent_is_refused_by_name() {
    assert!(Isa::available().contains(&Isa::Scalar));
    for isa in Isa::ALL {
        if isa.lacks().is_empty() {
            assert_eq!(isa.require(), Ok(isa));
        } else {
            let message = isa.require().unwrap_err().to_string();
            assert!(message.contains(isa.name()) && message.contains("lacks"), "{message}");
        }
    }
}

#[test]
fn every_roof_runs_where_its_kernels_do() {
    for isa in Isa::available() {
        let roofs = Roofs::of(Kernels::new(isa).unwrap());
        for arithmetic in [roofs.multiply_add, roofs.dot_product] {
            arithmetic.run(3);
            assert!(arithmetic.operations() >= 2 && !arithmetic.instruction().is_empty(), "{isa}");
        }
    }
}

#[test]
fn everything_is_read_once() {
    for isa in Isa::available() {
        let roofs = Roofs::of(Kernels::new(isa).unwrap());
        for length in [0, 1, 63, 64, 1000, 4096, 70_001] {
            let numbers: Vec<f32> = (0..length).map(|index| (index % 7) as f32).collect();
            // Whole numbers this small add up exactly in any order.
            assert_eq!(roofs.read(&numbers), numbers.iter().sum::<f32>(), "{isa}, {length} numbers");
        }
    }
}
