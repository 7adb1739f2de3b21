//! Estimates: the sums that the rates of others give, and that more work takes longer.

use amanuensis_npu::plan::{
    Arithmetic, Drain, Element, EncoderWork, Gemm, Operands, Rates, TileShape, estimate, plan, reference,
};
use amanuensis_npu::txn::Generation;

/// An encoder of base: 3.1 + 56.6 GFLOP of products, 27.6 of attention.
#[test]
fn encoders() {
    let base = EncoderWork { layers: 6, products: 59.7e9, attention: 27.6e9 };
    let of = |generation| base.seconds(&Rates::published(generation, Element::Bf16, Arithmetic::Float));
    assert!((of(Generation::Npu1) - 0.131).abs() < 0.001, "{}", of(Generation::Npu1));
    assert!((of(Generation::Npu2) - 0.022).abs() < 0.001, "{}", of(Generation::Npu2));
}

#[test]
fn products() {
    let overlay = reference(Generation::Npu2, Operands::BF16, TileShape { m: 64, k: 64, n: 64 });
    let of = |n| estimate(&overlay, &plan(&overlay, &Gemm::new(1500, 1280, n), Drain::First).unwrap());
    let (short, long) = (of(1280), of(5120));
    assert!(long.total > 2.0 * short.total && short.dispatch == long.dispatch);
    // 1500 rows are computed as 1536, 1280 columns as 1536: eight columns of cores hold 512.
    assert_eq!(short.compute, 2.0 * 1536.0 * 1280.0 * 1536.0 / 10e12);
    assert!(short.total >= short.memory.unwrap() + short.dispatch);
    let old = reference(Generation::Npu1, Operands::INT8, TileShape { m: 64, k: 64, n: 32 });
    assert_eq!(
        estimate(&old, &plan(&old, &Gemm::new(1500, 384, 384), Drain::First).unwrap()).memory,
        None,
        "nobody published it"
    );
}
