//! What became of kernels is read from their machine code, wherever NVRTC and NVIDIA's disassembler are found: whether the tensor
//! cores do the multiplying, whether what is loaded is loaded in as few pieces as there can be, whether anything lies in memory
//! that was to lie in registers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use super::super::{NAMES, source};
use super::compiling::{compiler, targets};

/// Names the disassembler's file.
const VARIABLE: &str = "AMANUENSIS_CUOBJDUMP";

/// How often each instruction stands in each kernel.
type Code = BTreeMap<String, BTreeMap<String, usize>>;

/// The disassembler: the file that is named, or what a toolkit or the search path has.
fn disassembler() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(VARIABLE) {
        return Some(named.into());
    }
    let name = format!("cuobjdump{}", std::env::consts::EXE_SUFFIX);
    let variable = |name: &str| std::env::var_os(name);
    let toolkits = ["CUDA_HOME", "CUDA_PATH"].into_iter().filter_map(variable).map(PathBuf::from);
    let toolkits = toolkits.chain([PathBuf::from("/usr/local/cuda")]).map(|toolkit| toolkit.join("bin"));
    let path: Vec<PathBuf> = variable("PATH").iter().flat_map(std::env::split_paths).collect();
    toolkits.chain(path).map(|folder| folder.join(&name)).find(|file| file.is_file())
}

/// Takes machine code to pieces.
fn disassemble(disassembler: &PathBuf, code: &[u8]) -> Code {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("kernels.cubin");
    std::fs::write(&file, code).expect("written");
    let output = Command::new(disassembler).arg("-sass").arg(&file).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", disassembler.display()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut kernels = Code::new();
    let mut kernel = None;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if let Some((_, name)) = line.split_once("Function : ") {
            kernel = Some(kernels.entry(name.trim().to_owned()).or_default());
        } else if let (Some(kernel), Some(instruction)) = (&mut kernel, instruction(line)) {
            *kernel.entry(instruction.to_owned()).or_default() += 1;
        }
    }
    kernels
}

/// The name of the instruction of a line: `/*00a0*/  @!P0 LDG.E.128 R4, ...` has LDG.E.128.
fn instruction(line: &str) -> Option<&str> {
    let (place, text) = line.trim_start().strip_prefix("/*")?.split_once("*/")?;
    if place.trim_start().starts_with("0x") {
        return None;
    }
    text.split_whitespace().find(|word| !word.starts_with('@')).map(|word| word.trim_end_matches(';'))
}

/// How many of a kernel's instructions are of a kind: `LDG` are all that begin with `LDG.`; and how many of these move 16 bytes.
fn count(kernel: &BTreeMap<String, usize>, kind: &str) -> [usize; 2] {
    let of_kind = kernel.iter().filter(|(name, _)| name.split('.').next() == Some(kind));
    of_kind.fold([0; 2], |[all, wide], (name, count)| {
        [all + count, wide + if name.split('.').any(|part| part == "128") { *count } else { 0 }]
    })
}

#[test]
fn machine_code_is_what_the_kernels_were_written_for() {
    let Some(compiler) = compiler() else { return };
    let Some(disassembler) = disassembler() else {
        return eprintln!("skipped: no cuobjdump on the search path, in CUDA_HOME, or named by {VARIABLE}");
    };
    for target in &targets(&compiler) {
        let compiled = compiler.compile(&source(), target, &[]).unwrap_or_else(|error| panic!("{error}"));
        let code = disassemble(&disassembler, &compiled.code);
        assert_eq!(code.keys().map(String::as_str).collect::<Vec<_>>(), sorted(&NAMES), "{target}");
        for (name, kernel) in &code {
            for local in ["LDL", "STL"] {
                assert_eq!(count(kernel, local)[0], 0, "{target}: {name} uses local memory: {kernel:?}");
            }
        }

        // A warp's tile is 16 queries by 64 keys of 64 numbers, twice: 8 x 4 products of 16 x 8 x 16 for the scores and 8 x 4 for
        // the values; a matrix instruction brings four matrices, two products' right sides.
        let window = &code["window_attention"];
        let [products, _] = count(window, "HMMA");
        assert_eq!((products, window.get("HMMA.16816.F32")), (64, Some(&64)), "{target}: {window:?}");
        assert_eq!(count(window, "LDSM")[0], 32, "{target}: {window:?}");
        let [fetches, wide] = count(window, "LDGSTS");
        assert!(fetches >= 4 && fetches == wide, "{target}: {window:?}");

        // The query, and four keys and four values at once.
        let lane = &code["lane_attention"];
        assert_eq!(count(lane, "LDG")[1], 9, "{target}: {lane:?}");
        // Whoever is the last block is counted once, and sees what the others wrote.
        assert_eq!(count(lane, "ATOMG")[0] + count(lane, "ATOM")[0], 1, "{target}: {lane:?}");
        assert!(count(lane, "MEMBAR")[0] >= 2 && lane.keys().any(|name| name.starts_with("LDG.E.STRONG")), "{target}");

        // What is asked, four times four logits, and four more of the thread whose best was taken.
        let choose = &code["choose"];
        assert_eq!(count(choose, "LDG")[1], 2 + 4 + 1, "{target}: {choose:?}");

        // Rows in f32 are read 16 bytes at a time; which row it is, if it is picked, is read alone.
        let [loads, wide] = count(&code["layer_norm"], "LDG");
        assert!(wide > 0 && loads - wide == 1, "{target}: {:?}", code["layer_norm"]);

        // What only moves numbers moves 16 bytes at a time.
        for name in ["unfold", "activate", "remember", "copy_lanes"] {
            let [stores, wide] = count(&code[name], "STG");
            assert!(stores > 0 && stores == wide, "{target}: {name}: {:?}", code[name]);
            assert!(count(&code[name], "LDG")[1] > 0, "{target}: {name}: {:?}", code[name]);
        }
        let instructions: usize = code.values().flat_map(BTreeMap::values).sum();
        eprintln!("{target}: {instructions} instructions, {products} products for each tile of attention");
    }
}

fn sorted<'a>(names: &[&'a str]) -> Vec<&'a str> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names
}

#[test]
fn lines_are_read_as_they_are_printed() {
    let lines = [
        ("        /*00a0*/                   LDG.E.128 R4, [R2.64] ;     /* 0x0000000402047981 */", Some("LDG.E.128")),
        ("        /*0b10*/              @!P0 BRA 0xc40 ;                 /* 0x0000000000008947 */", Some("BRA")),
        ("        /*1c60*/                   NOP;                        /* 0x0000000000007918 */", Some("NOP")),
        ("                                                               /* 0x000fe40000000f00 */", None),
        ("\t.headerflags\t@\"EF_CUDA_SM90\"", None),
    ];
    for (line, expected) in lines {
        assert_eq!(instruction(line), expected, "{line}");
    }
}
