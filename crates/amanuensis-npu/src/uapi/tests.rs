//! Acceptance check 1: sizes, offsets and request numbers are those of the kernel's interface, written out here a second time.

use super::*;

/// Name, number of the call, size and request number, each as the kernel's header makes them.
const CALLS: [(Request, &str, u32, usize, u32); 13] = [
    (CREATE_CONTEXT, "CREATE_HWCTX", 0x40, 56, 0xC038_6440),
    (DESTROY_CONTEXT, "DESTROY_HWCTX", 0x41, 8, 0xC008_6441),
    (CONFIGURE_CONTEXT, "CONFIG_HWCTX", 0x42, 24, 0xC018_6442),
    (CREATE_BUFFER, "CREATE_BO", 0x43, 32, 0xC020_6443),
    (BUFFER_INFO, "GET_BO_INFO", 0x44, 48, 0xC030_6444),
    (SYNC_BUFFER, "SYNC_BO", 0x45, 24, 0xC018_6445),
    (EXECUTE_COMMAND, "EXEC_CMD", 0x46, 56, 0xC038_6446),
    (GET_INFO, "GET_INFO", 0x47, 16, 0xC010_6447),
    (WAIT_COMMAND, "WAIT_CMD", 0x49, 16, 0x4010_6449),
    (GET_ARRAY, "GET_ARRAY", 0x4A, 24, 0xC018_644A),
    (TIMELINE_WAIT, "SYNCOBJ_TIMELINE_WAIT", 0xCA, 40, 0xC028_64CA),
    (CLOSE_BUFFER, "GEM_CLOSE", 0x09, 8, 0x4008_6409),
    (DRIVER_VERSION, "VERSION", 0x00, 64, 0xC040_6400),
];

#[test]
fn check_1_request_numbers_are_the_kernels() {
    for (request, name, call, size, number) in CALLS {
        assert_eq!(request.name, name);
        assert_eq!(request.number, number, "{name}: {:#x}", request.number);
        assert_eq!((request.number & 0xFF, request.size()), (call, size), "{name}");
    }
}

/// The fields' offsets in order, and the size.
fn check<Struct: Layout>(size: usize, offsets: &[usize]) {
    assert_eq!(Struct::WIDTH, size, "{}", Struct::NAME);
    let found: Vec<usize> = Struct::FIELDS.iter().map(|field| field.offset).collect();
    assert_eq!(found, offsets, "{}", Struct::NAME);
    // No byte is in no field, so nothing that the kernel must find zero is left to chance.
    let filled: usize = Struct::FIELDS.iter().map(|field| field.size).sum();
    assert_eq!(filled, size, "{}: gaps", Struct::NAME);
}

#[test]
fn check_1_fields_lie_where_the_kernel_reads_them() {
    check::<CreateContext>(56, &[0, 8, 16, 24, 28, 32, 36, 40, 44, 48, 52]);
    check::<Quality>(32, &[0, 4, 8, 12, 16, 20, 24, 28]);
    check::<DestroyContext>(8, &[0, 4]);
    check::<ConfigureContext>(24, &[0, 4, 8, 16, 20]);
    check::<UnitsHeader>(8, &[0, 2]);
    check::<Unit>(8, &[0, 4, 5]);
    check::<CreateBuffer>(32, &[0, 8, 16, 24, 28]);
    check::<BufferInfo>(48, &[0, 8, 16, 20, 24, 32, 40]);
    check::<SyncBuffer>(24, &[0, 4, 8, 16]);
    check::<ExecuteCommand>(56, &[0, 8, 16, 20, 24, 32, 40, 44, 48]);
    check::<GetInfo>(16, &[0, 4, 8]);
    check::<WaitCommand>(16, &[0, 4, 8]);
    check::<GetArray>(24, &[0, 4, 8, 12, 16]);
    check::<TimelineWait>(40, &[0, 8, 16, 24, 28, 32, 36]);
    check::<CloseBuffer>(8, &[0, 4]);
    check::<DriverVersion>(64, &[0, 4, 8, 12, 16, 24, 32, 40, 48, 56]);
    check::<ArrayVersion>(8, &[0, 4]);
    check::<TileMetadata>(16, &[0, 2, 4, 6, 8, 10]);
    check::<ArrayMetadata>(64, &[0, 4, 6, 8, 16, 32, 48]);
    check::<Clock>(24, &[0, 16, 20]);
    check::<Clocks>(48, &[0, 24]);
    check::<FirmwareVersion>(16, &[0, 4, 8, 12]);
    check::<PowerMode>(8, &[0, 1]);
    check::<ResourceInfo>(40, &[0, 8, 16, 24, 32]);
}

#[test]
fn structs_are_written_and_read_field_by_field() {
    let metadata = ArrayMetadata {
        columns: 5,
        rows: 6,
        core: TileMetadata { rows: 4, first_row: 2, ..TileMetadata::default() },
        ..ArrayMetadata::default()
    };
    let bytes = metadata.to_bytes();
    assert_eq!((bytes[4], bytes[6], bytes[16], bytes[18]), (5, 6, 4, 2));
    assert_eq!(ArrayMetadata::from_bytes(&bytes), Some(metadata));
    assert_eq!(ArrayMetadata::from_bytes(&bytes[1..]), None, "too short");
}

#[test]
fn limits_of_packets_follow_from_the_payload() {
    assert_eq!(ARGUMENT_LIMIT, 7);
    assert_eq!(HEAP_UNIT, 0x400_0000);
}
