use std::cell::RefCell;

/// What a module and its host share: the room for a question and the last answer.
#[derive(Debug, Default)]
pub struct Host {
    question: RefCell<Vec<u8>>,
    answer: RefCell<Vec<u8>>,
}

impl Host {
    /// Empty.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            question: RefCell::new(Vec::new()),
            answer: RefCell::new(Vec::new()),
        }
    }

    /// Room for a question of that length; what was there before is forgotten. Null: no such room.
    pub fn alloc(&self, length: usize) -> *mut u8 {
        let mut room = Vec::new();
        if length > MAX_QUESTION || room.try_reserve_exact(length).is_err() {
            return std::ptr::null_mut();
        }
        room.resize(length, 0);
        let mut question = self.question.borrow_mut();
        *question = room;
        question.as_mut_ptr()
    }

    /// Answers the question that was written to the room at `question`, which [`Host::alloc`] gave last and for
    /// that length. The answer begins with four bytes of its own length, least significant first, and stays
    /// where it is until the next one.
    pub fn answer(
        &self,
        question: *const u8,
        length: usize,
        answer: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> *const u8 {
        let room = self.question.take();
        let same = std::ptr::eq(room.as_ptr(), question) && room.len() == length;
        let answer = answer(if same { &room } else { &[] });
        let length = u32::try_from(answer.len()).unwrap_or(u32::MAX);
        let mut out = self.answer.borrow_mut();
        out.clear();
        out.extend(length.to_le_bytes());
        out.extend(answer);
        out.as_ptr()
    }
}

#[cfg(test)]
impl Host {
    /// The last answer with its length before it, for those who cannot follow a pointer.
    pub(crate) fn last(&self) -> Vec<u8> {
        self.answer.borrow().clone()
    }
}

/// Makes a module of a function that answers: exports `alloc(length)` and `answer(question, length)`.
#[macro_export]
macro_rules! module {
    ($answer:path) => {
        #[expect(
            unsafe_code,
            reason = "a symbol that keeps its name could clash with another of that name; a module has no others"
        )]
        mod exports {
            thread_local! {
                static HOST: $crate::Host = const { $crate::Host::new() };
            }

            #[unsafe(no_mangle)]
            extern "C" fn alloc(length: usize) -> *mut u8 {
                HOST.with(|host| host.alloc(length))
            }

            #[unsafe(no_mangle)]
            extern "C" fn answer(question: *const u8, length: usize) -> *const u8 {
                HOST.with(|host| host.answer(question, length, $answer))
            }
        }
    };
}

const MAX_QUESTION: usize = 32 << 20;
