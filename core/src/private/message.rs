//! Texts while compiling: what constants can put together and compare.

/// A text that is put together while compiling.
pub(super) struct Message {
    bytes: [u8; 1024],
    length: usize,
}

impl Message {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; 1024], length: 0 }
    }

    pub(super) const fn and(mut self, piece: &str) -> Self {
        let bytes = piece.as_bytes();
        // A piece that does not fit is left out whole, so that no letter is cut.
        if self.length + bytes.len() > self.bytes.len() {
            return self;
        }
        let mut index = 0;
        while index < bytes.len() {
            self.bytes[self.length] = bytes[index];
            self.length += 1;
            index += 1;
        }
        self
    }

    pub(super) const fn and_number(self, number: u32) -> Self {
        const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
        let front = if number >= 10 { self.and_number(number / 10) } else { self };
        front.and(DIGITS[(number % 10) as usize])
    }

    #[track_caller]
    pub(super) const fn panic(&self) -> ! {
        match std::str::from_utf8(self.bytes.split_at(self.length).0) {
            Ok(message) => panic!("{}", message),
            Err(_) => panic!("bug in annals: a message is not UTF-8"),
        }
    }
}

pub(super) const fn contains(names: &[&str], name: &str) -> bool {
    let mut index = 0;
    while index < names.len() {
        if same(names[index], name) {
            return true;
        }
        index += 1;
    }
    false
}

pub(super) const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut index = 0;
    while index < a.len() {
        if a[index] != b[index] {
            return false;
        }
        index += 1;
    }
    true
}
