import threading

main = threading.main_thread()
print(main is threading.current_thread(), main.name, main.daemon, main.ident == threading.get_ident())
print(threading.enumerate() == [main], threading.active_count(), main.native_id == __import__("os").getpid())
