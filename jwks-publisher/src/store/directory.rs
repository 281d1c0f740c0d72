use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jose_keys::PrivateKey;

use super::audit::{self, Line};
use super::file::RingFile;
use super::seal::{Key, Protection, RingSecret};
use super::{Edit, KeyStore, NewKey, Stamp};
use crate::{Change, Error, KeyRing, Result, State};

/// Keeps a ring in a folder of its own.
///
/// | file | holds |
/// | --- | --- |
/// | `ring.json` | the ring: public keys and times in the clear, private keys sealed; replaced whole, mode 0600 |
/// | `audit.log` | one line of JSON for every change, mode 0600 |
/// | `ring.lock` | nothing; locked while the ring is changed |
///
/// A crash at any step leaves the ring as it was or as it is to be. The folder
/// is made, with mode 0700, when the first key comes.
pub struct DirectoryStore {
    folder: PathBuf,
    secret: Option<RingSecret>,
    /// Deriving a key takes its time, so it is done once.
    derived: Mutex<Option<(Protection, Key)>>,
}

impl DirectoryStore {
    /// The ring in `folder`. Without a secret it can be read and pruned, and
    /// keys can be retired, but nothing can be signed and no key be added.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>, secret: Option<RingSecret>) -> Self {
        Self {
            folder: folder.into(),
            secret,
            derived: Mutex::new(None),
        }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn read(&self) -> Result<Option<RingFile>> {
        let path = self.path(RING);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(failed("read", &path))?,
        };
        let file = RingFile::parse(&text);
        file.map(Some)
            .map_err(|problem| Error::Format { path, problem })
    }

    /// The key that opens what `protection` protects.
    fn key(&self, protection: &Protection) -> Result<Key> {
        let path = || self.path(RING);
        let secret = self
            .secret
            .as_ref()
            .ok_or_else(|| Error::NoSecret { path: path() })?;
        if secret.kind() != protection.kind() {
            return Err(Error::OtherSecret {
                path: path(),
                expected: protection.kind(),
                given: secret.kind(),
            });
        }
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, key)) = &*derived
            && of == protection
        {
            return Ok(key.clone());
        }
        let key = protection.key(secret).ok_or_else(|| Error::Format {
            path: path(),
            problem: "what it says of its passphrase can't be used",
        })?;
        *derived = Some((protection.clone(), key.clone()));
        Ok(key)
    }

    /// Seals a key, with the secret that the others of the ring have.
    fn seal(&self, file: Option<&RingFile>, new: &NewKey) -> Result<(Protection, String)> {
        let known = file.and_then(|file| file.protection.clone());
        // Of a ring without keys nothing is left that another secret would open.
        let first = file.and_then(RingFile::first);
        let protection = match (known, first) {
            (Some(protection), Some(_)) => protection,
            _ => match &self.secret {
                Some(secret) => Protection::new(secret)?,
                None => {
                    return Err(Error::NoSecret {
                        path: self.path(RING),
                    });
                }
            },
        };
        let key = self.key(&protection)?;
        if let Some((public, sealed)) = first
            && key.open(sealed, public).is_none()
        {
            return Err(Error::WrongSecret {
                path: self.path(RING),
            });
        }
        let sealed = key.seal(&new.private, &new.public)?;
        Ok((protection, sealed))
    }

    /// Waits for others who change the ring.
    fn lock(&self) -> Result<File> {
        let folder = self.folder.as_path();
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(failed("write", folder))?;
        let path = self.path(LOCK);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        private(&mut options);
        options
            .open(&path)
            .and_then(|file| file.lock().map(|()| file))
            .map_err(failed("lock", &path))
    }

    /// Replaces the file of the ring, and is back when that is on the disk.
    fn write(&self, file: &RingFile) -> Result<()> {
        let (new, path) = (self.path(NEW), self.path(RING));
        let write = || {
            // What a crash left may have another mode.
            match fs::remove_file(&new) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            private(&mut options);
            let mut written = options.open(&new)?;
            written.write_all(file.to_json().as_bytes())?;
            written.sync_all()?;
            fs::rename(&new, &path)?;
            // Without it a crash of the machine may bring the old file back.
            #[cfg(unix)]
            File::open(&self.folder)?.sync_all()?;
            Ok(())
        };
        write().map_err(failed("write", &path))
    }

    fn log(&self, line: &Line) -> Result<()> {
        let path = self.path(AUDIT);
        audit::append(&path, line).map_err(failed("write", &path))
    }
}

impl KeyStore for DirectoryStore {
    fn load(&self) -> Result<KeyRing> {
        Ok(self.read()?.map(|file| file.ring()).unwrap_or_default())
    }

    fn private_key(&self, kid: &str) -> Result<PrivateKey> {
        let no_such = || Error::NoSuchKey {
            kid: kid.to_owned(),
        };
        let file = self.read()?.ok_or_else(no_such)?;
        let ring = file.ring();
        let public = ring.key(kid)?.jwk();
        let (Some(sealed), Some(protection)) = (file.sealed(kid), &file.protection) else {
            return Err(no_such());
        };
        self.key(protection)?
            .open(sealed, public)
            .ok_or_else(|| Error::WrongSecret {
                path: self.path(RING),
            })
    }

    fn edit(&self) -> Result<Box<dyn Edit + '_>> {
        let lock = self.lock()?;
        let file = self.read()?;
        if let Some(file) = &file {
            self.log(&file.last)?;
        }
        Ok(Box::new(Editing {
            ring: file.as_ref().map(RingFile::ring).unwrap_or_default(),
            store: self,
            file,
            _lock: lock,
        }))
    }

    fn stamp(&self) -> Result<Stamp> {
        let path = self.path(RING);
        let metadata = match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Stamp([0; 4])),
            metadata => metadata.map_err(failed("read", &path))?,
        };
        // Every change is another file; its inode tells two of one moment apart.
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
        #[cfg(not(unix))]
        let inode = 0;
        let modified = metadata.modified().map_err(failed("read", &path))?;
        let modified = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Stamp([
            metadata.len(),
            modified.as_secs(),
            u64::from(modified.subsec_nanos()),
            inode,
        ]))
    }
}

struct Editing<'a> {
    store: &'a DirectoryStore,
    /// As it was.
    file: Option<RingFile>,
    ring: KeyRing,
    _lock: File,
}

impl Edit for Editing<'_> {
    fn ring(&mut self) -> &mut KeyRing {
        &mut self.ring
    }

    fn commit(
        self: Box<Self>,
        actor: &str,
        now: SystemTime,
        change: &Change,
        new: Option<NewKey>,
    ) -> Result<()> {
        let before = self.file.as_ref();
        let mut protection = before.and_then(|file| file.protection.clone());
        let mut fresh = None;
        if let Some(new) = &new {
            let (by, sealed) = self.store.seal(before, new)?;
            protection = Some(by);
            fresh = Some((new.public.kid(), sealed));
        }
        let last = Line {
            serial: before.map_or(0, |file| file.last.serial) + 1,
            time: Timestamp::try_from(now).map_err(|_| Error::Time)?,
            actor: actor.to_owned(),
            action: change.action.as_str().to_owned(),
            kid: change.kid.clone(),
            pruned: change.pruned.clone(),
            active: active(&self.ring, now),
            keys: self.ring.keys().len(),
        };
        let sealed = |kid: &str| match &fresh {
            Some((new, sealed)) if *new == kid => Some(sealed.clone()),
            _ => before?.sealed(kid).map(str::to_owned),
        };
        let file = RingFile::new(&self.ring, last, protection, sealed).ok_or(Error::Time)?;
        self.store.write(&file)?;
        let line = &file.last;
        tracing::info!(
            action = line.action,
            kid = line.kid,
            active = line.active.join(" "),
            keys = line.keys,
            "key ring changed"
        );
        self.store.log(line)
    }
}

/// By hand: it holds what opens the private keys.
impl fmt::Debug for DirectoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectoryStore")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

fn active(ring: &KeyRing, now: SystemTime) -> Vec<String> {
    ring.keys()
        .iter()
        .filter(|key| ring.state(key, now) == State::Active)
        .map(|key| key.kid().to_owned())
        .collect()
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |source| Error::File {
        action,
        path,
        source,
    }
}

fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _ = options;
}

const RING: &str = "ring.json";
const NEW: &str = "ring.json.new";
const LOCK: &str = "ring.lock";
const AUDIT: &str = "audit.log";
