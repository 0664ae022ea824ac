//! A service's rotated logs: their names, their order, and their compression, which happens beside everything else.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::index::{index_path, log_path};
use crate::service::Compress;
use crate::stderr::say;

/// What may stand behind the number of a rotated log.
const ENDINGS: [&str; 3] = ["", ".gz", ".zst"];

/// The rotated logs of one service.
#[derive(Debug, Clone)]
pub(super) struct Shelf {
    folder: PathBuf,
    service: String,
    /// Held while names change.
    names: Arc<Mutex<()>>,
    /// Held by the thread that compresses.
    work: Arc<Mutex<()>>,
}

impl Shelf {
    pub(super) fn new(folder: &Path, service: &str) -> Self {
        Self { folder: folder.to_owned(), service: service.to_owned(), names: Arc::default(), work: Arc::default() }
    }

    /// Puts the current log aside, the others one further, and the last away.
    pub(super) fn put(&self, keep: u32) -> io::Result<()> {
        let _names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let log = |number, ending: &str| with_ending(log_path(&self.folder, &self.service, number), ending);
        let index = |number| index_path(&self.folder, &self.service, number);
        for ending in ENDINGS {
            remove(&log(keep, ending))?;
            for number in (0..keep).rev() {
                rename(&log(number, ending), &log(number + 1, ending))?;
            }
        }
        for number in (0..keep).rev() {
            rename(&index(number), &index(number + 1))?;
        }
        if keep == 0 {
            remove(&index(0))?;
        }
        Ok(())
    }

    /// Compresses what was put aside, in a thread; if one is at it already, the next rotation does the rest.
    pub(super) fn compress(&self, how: Compress, keep: u32) {
        if how == Compress::None || keep == 0 {
            return;
        }
        let shelf = self.clone();
        std::thread::spawn(move || {
            let Ok(_work) = shelf.work.try_lock() else { return };
            for number in 1..=keep {
                let path = log_path(&shelf.folder, &shelf.service, number);
                let done = match File::open(&path) {
                    Ok(file) => shelf.compress_one(&file, how, keep),
                    Err(_) => continue,
                };
                if let Err(error) = done {
                    say(format_args!("supervisor: {} cannot be compressed: {error}", path.display()));
                    return;
                }
            }
        });
    }

    fn compress_one(&self, file: &File, how: Compress, keep: u32) -> io::Result<()> {
        let aside = self.folder.join(format!("{}.log.new", self.service));
        let made = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
        let mut plain = BufReader::new(file);
        let ending = match how {
            Compress::Gzip => {
                let mut packed = flate2::write::GzEncoder::new(made, flate2::Compression::default());
                io::copy(&mut plain, &mut packed)?;
                packed.finish()?.sync_data()?;
                ".gz"
            }
            Compress::Zstd => {
                let mut packed = zstd::Encoder::new(made, 3)?;
                io::copy(&mut plain, &mut packed)?;
                packed.finish()?.sync_data()?;
                ".zst"
            }
            Compress::None => return Ok(()),
        };
        let _names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        // It may have been moved on meanwhile.
        let inode = file.metadata()?.ino();
        let now = (1..=keep).map(|number| log_path(&self.folder, &self.service, number));
        let Some(path) = now.into_iter().find(|path| fs::metadata(path).is_ok_and(|facts| facts.ino() == inode)) else {
            return fs::remove_file(aside);
        };
        fs_err::rename(&aside, with_ending(path.clone(), ending))?;
        fs::remove_file(path)
    }
}

fn with_ending(path: PathBuf, ending: &str) -> PathBuf {
    let mut name = path.into_os_string();
    name.push(ending);
    name.into()
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes a file if it is there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Opens a rotated log, compressed or not; `None` if there is none of that number.
pub(super) fn open(folder: &Path, service: &str, number: u32) -> io::Result<Option<Box<dyn Read>>> {
    for ending in ENDINGS {
        match File::open(with_ending(log_path(folder, service, number), ending)) {
            Ok(file) if ending == ".gz" => return Ok(Some(Box::new(flate2::read::MultiGzDecoder::new(file)))),
            Ok(file) if ending == ".zst" => return Ok(Some(Box::new(zstd::Decoder::new(file)?))),
            Ok(file) => return Ok(Some(Box::new(file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// The number of the oldest rotated log; 0 if there is none.
pub(super) fn oldest(folder: &Path, service: &str) -> u32 {
    let is_there =
        |number: &u32| ENDINGS.iter().any(|ending| with_ending(log_path(folder, service, *number), ending).exists());
    (1..).take_while(is_there).last().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::{Shelf, oldest, open};
    use crate::service::Compress;

    fn read(folder: &std::path::Path, number: u32) -> String {
        let mut text = String::new();
        open(folder, "web", number).expect("open").expect("there").read_to_string(&mut text).expect("text");
        text
    }

    #[test]
    fn what_is_put_aside_is_found_again_however_it_is_packed() {
        let folder = tempfile::tempdir().expect("folder");
        let shelf = Shelf::new(folder.path(), "web");
        for (text, how) in [("one", Compress::Gzip), ("two", Compress::Zstd), ("three", Compress::None)] {
            std::fs::write(folder.path().join("web.log"), text).expect("write");
            shelf.put(3).expect("put");
            if let Ok(file) = std::fs::File::open(folder.path().join("web.log.1")) {
                shelf.compress_one(&file, how, 3).expect("packed");
            }
        }
        assert_eq!([3, 2, 1].map(|number| read(folder.path(), number)), ["one", "two", "three"]);
        assert_eq!(oldest(folder.path(), "web"), 3);
        let names = ["web.log.3.gz", "web.log.2.zst", "web.log.1"];
        assert!(names.iter().all(|name| folder.path().join(name).exists()));
        std::fs::write(folder.path().join("web.log"), "four").expect("write");
        shelf.put(3).expect("put");
        assert_eq!([3, 2, 1].map(|number| read(folder.path(), number)), ["two", "three", "four"]);
    }

    #[test]
    fn one_that_was_moved_on_meanwhile_keeps_its_place() {
        let folder = tempfile::tempdir().expect("folder");
        let shelf = Shelf::new(folder.path(), "web");
        std::fs::write(folder.path().join("web.log.1"), "one").expect("write");
        let file = std::fs::File::open(folder.path().join("web.log.1")).expect("open");
        shelf.put(2).expect("put");
        shelf.compress_one(&file, Compress::Gzip, 2).expect("packed");
        assert!(folder.path().join("web.log.2.gz").exists() && !folder.path().join("web.log.2").exists());
        std::fs::write(folder.path().join("web.log.1"), "gone").expect("write");
        let file = std::fs::File::open(folder.path().join("web.log.1")).expect("open");
        std::fs::remove_file(folder.path().join("web.log.1")).expect("remove");
        shelf.compress_one(&file, Compress::Gzip, 2).expect("nothing to do");
        assert_eq!(read(folder.path(), 2), "one");
    }
}
