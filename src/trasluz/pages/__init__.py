"""Kinds of pages: text, LaTeX, Markdown, HTML, Typst, notebooks."""
