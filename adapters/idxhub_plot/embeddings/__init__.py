"""The examples of a dataset as points in the plane: computed once, kept in the cache, drawn as a figure or as a page.

`methods` names the methods and what each of them needs; `coordinates` computes and caches; `figure` draws with
matplotlib; `page` makes a web page. Each method is a module of its own, which imports its package at the top and is
imported only if the method is used.
"""
