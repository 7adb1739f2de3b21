//! Acceptance check 7: what is written is read back, what is damaged is an error, and real files say what is known of them.

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

const DATA: [u8; 1200] = [0x5A; 1200];

fn commands() -> Vec<Command<'static>> {
    vec![
        Command::Write { address: 0x0003_2000, value: 2 },
        Command::MaskWrite { address: 0x0006_0000, mask: 0xF00, value: 0x300 },
        Command::Nop { words: 3 },
        Command::DmaWrite { address: 0x2_0020_0000, data: &DATA[..64] },
        // Longer than the short form holds.
        Command::DmaWrite { address: 0x20_0000, data: &DATA },
        Command::Other { opcode: 0x10F, payload: &DATA[..8] },
        Command::Nop { words: 0 },
    ]
}

fn kernel() -> Kernel {
    Kernel { name: "MLIR_AIE:MLIRAIE".to_owned(), kind: layout::PS_KERNEL, id: 0x901, subtype: 1, functional: 0 }
}

fn partition(image: &[u8]) -> Partition<'_> {
    let group = Group { kind: 1, program: 1, kernels: vec![0x901] };
    Partition {
        name: "synthetic".to_owned(),
        operations_per_cycle: 2048,
        columns: 4,
        first_columns: vec![0, 1],
        programs: vec![
            Program { uuid: [7; 16], image, groups: vec![group] },
            Program { uuid: [8; 16], image: &[], groups: Vec::new() },
        ],
    }
}

fn file() -> Vec<u8> {
    let image = pdi::write(&commands());
    let (partition, kernels) = (partition(&image).write(), layout::write(&[kernel()]));
    let sections: [(u32, &str, &[u8]); 3] = [
        (xclbin::AIE_PARTITION, "aie_partition", &partition),
        (xclbin::IP_LAYOUT, "", &kernels),
        (xclbin::EMBEDDED_METADATA, "xml", b"<project/>"),
    ];
    xclbin::write([9; 16], &sections)
}

#[test]
fn check_7_synthetic_files_read_back() {
    let (file, image) = (file(), pdi::write(&commands()));
    let read = Xclbin::read(&file).expect("written here");
    assert_eq!((read.uuid, read.sections.len(), read.sections[0].name.as_str()), ([9; 16], 3, "aie_partition"));
    assert_eq!(read.kernels(), Ok(vec![kernel()]));
    assert_eq!(read.metadata().as_deref(), Some("<project/>"));
    let found = read.partition().expect("written here");
    assert_eq!(found, partition(&image));
    assert_eq!(found.program_of(0x901).map(|program| program.uuid), Some([7; 16]));
    assert_eq!(found.program_of(0x902), None);
    let pdi = Pdi::read(found.programs[0].image).expect("written here");
    assert!(pdi.cdo.checksum_agrees);
    assert_eq!(pdi.cdo.commands().collect::<Vec<_>>(), commands());
}

#[test]
fn check_7_what_a_file_is_not_is_named() {
    let whole = file();
    let missing = xclbin::write([0; 16], &[]);
    let missing = Xclbin::read(&missing).expect("an empty one");
    assert_eq!(missing.partition(), Err(ContainerError::Missing { what: "AIE_PARTITION" }));
    assert!(matches!(Xclbin::read(b"PK\x03\x04 and more"), Err(ContainerError::Kind { .. })));
    // A pointer of Git LFS, which some repositories have in place of the file.
    let pointer = Xclbin::read(b"version https://git-lfs.github.com/spec/v1").map(|_| ()).expect_err("no xclbin");
    assert!(pointer.to_string().contains("another kind of file"), "{pointer}");
    let mut many = whole.clone();
    many[448..452].fill(0xFF);
    assert!(matches!(Xclbin::read(&many), Err(ContainerError::Outside { what: "the table of sections", .. })));
}

#[test]
fn lists_that_lie_over_each_other_make_nothing_large() {
    // Many programs, each with the same many groups: a small file that would be large in memory.
    let image = [0u8; 0];
    let group = Group { kind: 1, program: 0, kernels: Vec::new() };
    let one = Program { uuid: [0; 16], image: &image, groups: Vec::new() };
    let mut plan = partition(&image);
    plan.programs = vec![one; 200];
    plan.programs[0].groups = vec![group; 200];
    let mut bytes = plan.write();
    let at = u32::from_le_bytes([bytes[124], bytes[125], bytes[126], bytes[127]]) as usize;
    let list = bytes[at + 24..at + 32].to_vec();
    for program in 1..200 {
        bytes[at + program * 96 + 24..][..8].copy_from_slice(&list);
    }
    let refused = Partition::read(&bytes).map(|_| ()).expect_err("four million bytes of groups");
    assert!(matches!(refused, ContainerError::Number { what: "bytes of groups", .. }), "{refused}");
}

/// Reads everything that is in a file, to its depth.
fn read_all(bytes: &[u8]) -> usize {
    let mut count = 0;
    if let Ok(file) = Xclbin::read(bytes) {
        count += file.sections.len() + file.kernels().map_or(0, |kernels| kernels.len());
        if let Ok(partition) = file.partition() {
            count += partition.first_columns.len();
            for program in &partition.programs {
                count += program.groups.len();
                count += Pdi::read(program.image).map_or(0, |pdi| pdi.cdo.commands().count());
            }
        }
    }
    count += Partition::read(bytes).map_or(0, |partition| partition.programs.len());
    count += layout::read(bytes).map_or(0, |kernels| kernels.len());
    count += Pdi::read(bytes).map_or(0, |pdi| pdi.cdo.commands().count());
    count + Cdo::read(bytes).map_or(0, |cdo| cdo.commands().count())
}

#[test]
fn check_7_every_length_of_a_file_is_read_or_refused() {
    let whole = file();
    for length in (0..whole.len()).step_by(3) {
        read_all(&whole[..length]);
        assert!(Xclbin::read(&whole[..length]).is_err(), "cut off at {length}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn check_7_damaged_files_never_panic(places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12)) {
        let mut bytes = file();
        for (place, byte) in places {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let count = read_all(&bytes);
        prop_assert!(count <= bytes.len(), "{count} things in {} bytes", bytes.len());
    }

    #[test]
    fn check_7_damaged_heads_never_panic(place in 0..300usize, word in any::<u32>()) {
        let mut partition = partition(&DATA).write();
        let mut image = pdi::write(&commands());
        let at = place.min(partition.len() - 4);
        partition[at..at + 4].copy_from_slice(&word.to_le_bytes());
        let at = (0x38 + place).min(image.len() - 4);
        image[at..at + 4].copy_from_slice(&word.to_le_bytes());
        read_all(&partition);
        read_all(&image);
    }

    #[test]
    fn check_7_bytes_that_are_no_file_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        read_all(&bytes);
        let mut begun = xclbin::MAGIC.to_vec();
        begun.extend(bytes);
        read_all(&begun);
    }
}

/// What is known of a public file: its name, and what is in it.
struct Known {
    name: &'static str,
    size: usize,
    columns: u16,
    first_columns: &'static [u16],
    operations_per_cycle: u32,
    programs: usize,
    kernel: Option<(&'static str, u16, usize)>,
    /// WRITE, MASK_WRITE, DMA_WRITE, NOP of its first program.
    commands: Option<[usize; 4]>,
}

const KNOWN: [Known; 3] = [
    Known {
        name: "gemm-512-4col.xclbin",
        size: 66_362,
        columns: 4,
        first_columns: &[0],
        operations_per_cycle: 0,
        programs: 1,
        kernel: Some(("MLIR_AIE:MLIRAIE", 0x901, 59_904)),
        commands: Some([890, 288, 208, 227]),
    },
    Known {
        name: "1x4.xclbin",
        size: 1_119_443,
        columns: 1,
        first_columns: &[1, 2, 3, 4],
        operations_per_cycle: 2048,
        programs: 15,
        kernel: None,
        commands: None,
    },
    Known {
        name: "AMD_AIE2P_Nx4_Overlay.xclbin",
        size: 463_845,
        columns: 0,
        first_columns: &[0, 1, 2, 3, 4, 5, 6, 7],
        operations_per_cycle: 4096,
        programs: 15,
        kernel: None,
        commands: None,
    },
];

/// A file of a folder, wherever in it.
fn find(folder: PathBuf, name: &str) -> Option<PathBuf> {
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).ok()?.flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(_) if entry.file_name() == name => return Some(entry.path()),
                _ => {}
            }
        }
    }
    None
}

#[test]
fn check_7_corpus_files_say_what_is_known_of_them() {
    let Some(corpus) = std::env::var_os("AMANUENSIS_NPU_CORPUS") else {
        println!("skipped: no corpus");
        return;
    };
    for known in KNOWN {
        let Some(path) = find(PathBuf::from(&corpus), known.name) else {
            println!("skipped: no {} in the corpus", known.name);
            continue;
        };
        let bytes = std::fs::read(&path).expect("readable");
        assert_eq!(bytes.len(), known.size, "{}", known.name);
        let file = Xclbin::read(&bytes).unwrap_or_else(|error| panic!("{}: {error}", known.name));
        let partition = file.partition().unwrap_or_else(|error| panic!("{}: {error}", known.name));
        assert_eq!((&partition.first_columns[..], partition.programs.len()), (known.first_columns, known.programs));
        // 0 where it is not known.
        assert!(known.columns == 0 || partition.columns == known.columns, "{}", known.name);
        assert!(known.operations_per_cycle == 0 || partition.operations_per_cycle == known.operations_per_cycle);
        if let Some((name, id, image)) = known.kernel {
            let kernels = file.kernels().expect("kernels");
            assert!(kernels.iter().any(|kernel| kernel.name == name && kernel.id == id), "{kernels:?}");
            assert_eq!(partition.program_of(id).map(|program| program.image.len()), Some(image));
        }
        if let Some(expected) = known.commands {
            let pdi = Pdi::read(partition.programs[0].image).unwrap_or_else(|error| panic!("{}: {error}", known.name));
            let mut counts = [0; 4];
            for command in pdi.cdo.commands() {
                match command {
                    Command::Write { .. } => counts[0] += 1,
                    Command::MaskWrite { .. } => counts[1] += 1,
                    Command::DmaWrite { .. } => counts[2] += 1,
                    Command::Nop { .. } => counts[3] += 1,
                    Command::Other { .. } => {}
                }
            }
            assert_eq!(counts, expected, "{}", known.name);
        }
    }
}
