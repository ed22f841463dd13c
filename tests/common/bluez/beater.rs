//! A strap that sends a numbered notification at a steady pace, so that loss and duplicates show.

use super::world::World;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Sends until it is dropped.
pub struct Beater {
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Beater {
    pub(super) fn start(world: Arc<Mutex<World>>, address: &str, period: Duration) -> Self {
        let heard: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let stop = Arc::new(AtomicBool::new(false));
        let (h, s, address) = (heard.clone(), stop.clone(), address.to_owned());
        let thread = std::thread::spawn(move || {
            let mut number = 0u16;
            while !s.load(Ordering::Relaxed) {
                let [low, high] = number.to_le_bytes();
                let frame = vec![0x10, 60, low, high];
                let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
                if world.notify(&address, &frame) {
                    h.lock().unwrap_or_else(PoisonError::into_inner).push(frame);
                    number = number.wrapping_add(1);
                }
                drop(world);
                std::thread::sleep(period);
            }
        });
        Self { heard, stop, thread: Some(thread) }
    }

    /// The frames that BlueZ passed on, in order.
    pub fn heard(&self) -> Vec<Vec<u8>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops and tells what BlueZ passed on.
    pub fn finish(mut self) -> Vec<Vec<u8>> {
        self.end();
        self.heard()
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Beater {
    fn drop(&mut self) {
        self.end();
    }
}
