//! A model as a folder of plain files, for machines without a network.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use amanuensis::model::hub::choose_in;

use crate::error::{HubError, disk};
use crate::store::space;
use crate::{Event, Watch};

/// Copies a model that is here, its folder or its one file, into a new folder; says which files, with their bytes.
pub(crate) fn bundle(
    name: &str,
    model: &Path,
    folder: &Path,
    watch: &mut Watch<'_>,
) -> Result<Vec<(String, u64)>, HubError> {
    let (from, files) = if model.is_file() {
        let file = model.file_name().unwrap_or_default().to_string_lossy().into_owned();
        (model.parent().unwrap_or(Path::new(".")), vec![file])
    } else {
        let choice = choose_in(model).map_err(|reason| HubError::NoModel { name: name.to_owned(), reason })?;
        (model, choice.files().map(str::to_owned).collect())
    };
    let mut sized = Vec::with_capacity(files.len());
    for file in files {
        let path = from.join(&file);
        let size = path.metadata().map_err(disk(&path, "read it"))?.len();
        sized.push((file, size));
    }
    let total = sized.iter().map(|(_, size)| size).sum();
    let beside = place_beside(folder)?;
    let made = fs::create_dir_all(&beside).map_err(disk(&beside, "make the folder"));
    let copied =
        made.and_then(|()| space::require(&beside, total)).and_then(|()| copy(from, &beside, &sized, total, watch));
    let moved = copied.and_then(|()| fs::rename(&beside, folder).map_err(disk(folder, "put it there")));
    if moved.is_err() {
        let _: io::Result<()> = fs::remove_dir_all(&beside);
    }
    moved.map(|()| sized)
}

/// A folder beside the one that is wanted, in which it is made: nobody finds half a model.
fn place_beside(folder: &Path) -> Result<PathBuf, HubError> {
    match fs::read_dir(folder) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                return Err(HubError::Occupied(folder.to_owned()));
            }
            // An empty folder gives way.
            fs::remove_dir(folder).map_err(disk(folder, "replace it"))?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(disk(folder, "look into it")(error)),
    }
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(parent.join(format!(".{name}.{:016x}", fastrand::u64(..))))
}

fn copy(from: &Path, to: &Path, files: &[(String, u64)], total: u64, watch: &mut Watch<'_>) -> Result<(), HubError> {
    let mut done = 0;
    for (file, size) in files {
        if watch(Event::Progress { file, done, total }).is_break() {
            return Err(HubError::Cancelled);
        }
        let (source, target) = (from.join(file), to.join(file));
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).map_err(disk(folder, "make the folder"))?;
        }
        fs::copy(&source, &target).map_err(disk(&target, "copy to it"))?;
        done += size;
    }
    Ok(())
}
