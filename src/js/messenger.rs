//! How other threads reach JavaScript's.
//!
//! napi's own threadsafe functions can't be asked whether they keep the process alive, so what looks for
//! handles left open (`jest --detectOpenHandles`) takes each for one.

use std::{
    ffi::c_void,
    marker::PhantomData,
    ptr,
    sync::{Arc, Weak},
};

use napi::{
    bindgen_prelude::{JsObjectValue, Object},
    check_status, sys,
    threadsafe_function::{ThreadsafeFunctionCallMode, ThreadsafeFunctionHandle},
    Env, JsError, JsValue, Result,
};

/// Called on JavaScript's thread with what was sent. Its error is thrown there, as one that nobody
/// catches.
type Deliver<T> = Box<dyn Fn(&Env, T) -> Result<()>>;

/// Delivers messages on the thread of its environment, in the order in which they were sent. It keeps the
/// process alive only while it is told to.
pub struct Messenger<T> {
    /// Released with its last clone. It knows whether the environment is gone.
    handle: Arc<ThreadsafeFunctionHandle>,
    messages: PhantomData<fn(T)>,
}

impl<T> Clone for Messenger<T> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), messages: PhantomData }
    }
}

impl<T: Send + 'static> Messenger<T> {
    /// `keeps_alive` says whether it keeps the process alive, to whoever asks.
    pub fn new(
        env: &Env,
        keeps_alive: fn() -> bool,
        deliver: impl Fn(&Env, T) -> Result<()> + 'static,
    ) -> Result<Self> {
        let mut resource = Object::new(env)?;
        let has_ref =
            env.create_function_from_closure::<(), _, _>("hasRef", move |_| Ok(keeps_alive()))?;
        resource.set_named_property("hasRef", has_ref)?;
        let name = env.create_string("scientist-pool")?;

        let handle = ThreadsafeFunctionHandle::null();
        let mut raw = ptr::null_mut();
        let weak = Arc::downgrade(&handle).into_raw();
        let deliver = Box::into_raw(Box::new(Box::new(deliver) as Deliver<T>));
        // SAFETY: `env` lives, and this is its thread; `weak` and `deliver` are taken back once, by
        // `finalize`, or below where nothing was created.
        let created = check_status!(unsafe {
            sys::napi_create_threadsafe_function(
                env.raw(),
                ptr::null_mut(),
                resource.raw(),
                name.raw(),
                0,
                1,
                weak.cast_mut().cast(),
                Some(finalize::<T>),
                deliver.cast(),
                Some(deliver_one::<T>),
                &mut raw,
            )
        });
        if let Err(error) = created {
            // SAFETY: as above.
            unsafe {
                drop(Weak::from_raw(weak));
                drop(Box::from_raw(deliver));
            }
            return Err(error);
        }
        handle.set_raw(raw);
        let messenger = Self { handle, messages: PhantomData };
        messenger.let_end(env)?;
        Ok(messenger)
    }

    /// From any thread, without waiting. An environment that is gone takes nothing.
    pub fn send(&self, message: T) {
        let message = Box::into_raw(Box::new(message));
        let taken = self.handle.with_read_aborted(|gone| {
            // SAFETY: it lives until it is told that its environment is gone, under the same lock; and
            // `deliver_one` reads this type.
            !gone
                && unsafe {
                    sys::napi_call_threadsafe_function(
                        self.handle.get_raw(),
                        message.cast(),
                        ThreadsafeFunctionCallMode::NonBlocking.into(),
                    )
                } == sys::Status::napi_ok
        });
        if !taken {
            // SAFETY: what was not taken is still ours.
            drop(unsafe { Box::from_raw(message) });
        }
    }

    /// Has it keep the process alive, on its environment's thread.
    pub fn keep_alive(&self, env: &Env) -> Result<()> {
        // SAFETY: `env` lives, this is its thread, and the function ends with it at the earliest.
        check_status!(unsafe {
            sys::napi_ref_threadsafe_function(env.raw(), self.handle.get_raw())
        })
    }

    /// Has it keep the process alive no more, on its environment's thread.
    pub fn let_end(&self, env: &Env) -> Result<()> {
        // SAFETY: as above.
        check_status!(unsafe {
            sys::napi_unref_threadsafe_function(env.raw(), self.handle.get_raw())
        })
    }
}

unsafe extern "C" fn deliver_one<T>(
    env: sys::napi_env,
    _function: sys::napi_value,
    context: *mut c_void,
    message: *mut c_void,
) {
    // SAFETY: `send` gave it, and Node gives it back once.
    let message = *unsafe { Box::<T>::from_raw(message.cast()) };
    // What was on its way when the environment ended.
    if env.is_null() {
        return;
    }
    // SAFETY: `finalize`, which takes it back, is the last to be called.
    let deliver = unsafe { &*context.cast::<Deliver<T>>() };
    let scope = Env::from_raw(env);
    if let Err(error) = deliver(&scope, message) {
        // Fails where the environment is about to end, and there is nobody left to tell.
        // SAFETY: Node calls this on the environment's thread.
        unsafe { sys::napi_fatal_exception(env, JsError::from(error).into_value(env)) };
    }
}

unsafe extern "C" fn finalize<T>(_env: sys::napi_env, handle: *mut c_void, deliver: *mut c_void) {
    // SAFETY: `new` gave both, and Node gives them back once.
    let (handle, deliver) = unsafe {
        let handle = Weak::<ThreadsafeFunctionHandle>::from_raw(handle.cast());
        (handle, Box::<Deliver<T>>::from_raw(deliver.cast()))
    };
    if let Some(handle) = handle.upgrade() {
        handle.with_write_aborted(|mut gone| *gone = true);
    }
    drop(deliver);
}
