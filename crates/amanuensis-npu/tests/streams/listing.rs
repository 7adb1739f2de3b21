//! What people read of a stream.

use amanuensis_npu::plan::{Drain, Gemm, plan};
use amanuensis_npu::txn::listing;

use super::support::public_256;

#[test]
fn a_listing_says_what_is_done() {
    let plan = plan(&public_256(), &Gemm::new(256, 256, 256), Drain::Last).unwrap();
    let text = listing(&plan.stream).to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "version 0.1, npu1 (3), 4 columns, 6 rows, 68 operations, 2592 bytes");
    assert_eq!(
        lines[1],
        "    0 @4      BLOCKWRITE tile (0, 0): descriptor 0: 4096 words at 0x0, 16 x 1 words apart, 32 x 128 apart, then 16 apart"
    );
    assert_eq!(lines[2], "    1 @16     DDR_PATCH  tile (0, 0) descriptor 0 word 1 = argument 0 + 0x0");
    assert_eq!(lines[3], "    2 @28     WRITE      tile (0, 0) MM2S channel 0 queue: push descriptor 0, 8 passes");
    assert!(text.contains("MASKWRITE  tile (0, 0) S2MM channel 0 control = 0xf00 in the bits 0x1f00"));
    assert!(text.contains("queue: push descriptor 4, 2 passes, then a token"));
    assert_eq!(lines.last(), Some(&"   67 @644    TCT        for a token of tile (0, 0) S2MM channel 0"));
}
