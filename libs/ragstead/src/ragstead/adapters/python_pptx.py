"""Reads PPTX by python-pptx."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from pptx import Presentation
from pptx.exc import PythonPptxError

from ragstead.errors import UnreadableDocument
from ragstead.extraction import TextBuilder
from ragstead.model import ExtractedText

if TYPE_CHECKING:
    from pptx.shapes.base import BaseShape
    from pptx.slide import Slide

_MALFORMED = (PythonPptxError, KeyError, AttributeError, ValueError, TypeError, IndexError, NotImplementedError)
_DAMAGED = (*_MALFORMED, BadZipFile, SyntaxError, OSError)
_MAX_DEPTH = 20
_PARAGRAPH = "{http://schemas.openxmlformats.org/drawingml/2006/main}p"
_TEXT = "{http://schemas.openxmlformats.org/drawingml/2006/main}t"


class PptxLoader:
    """Reads each slide as a page: its title as a heading, then texts, groups, tables, charts and the notes."""

    def load(self, data: bytes, filename: str) -> ExtractedText:
        """Return the slides' text; a malformed shape is read as far as its words can be found.

        Raises:
            UnreadableDocument: If the presentation is damaged.
        """
        builder = TextBuilder()
        try:
            presentation = Presentation(io.BytesIO(data))
            for slide in presentation.slides:
                builder.page_break()
                _slide(builder, slide)
            title = presentation.core_properties.title or ""
        except _DAMAGED as exc:
            raise UnreadableDocument(f"{filename}: damaged presentation ({exc})") from exc
        return builder.build("" if title == "PowerPoint Presentation" else title)


def _slide(builder: TextBuilder, slide: Slide) -> None:
    title = slide.shapes.title
    if title is not None and title.has_text_frame:
        builder.heading(title.text_frame.text, 1)
    for shape in slide.shapes:
        if title is None or shape.shape_id != title.shape_id:
            _shape(builder, shape, 0)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        builder.paragraph(slide.notes_slide.notes_text_frame.text)


def _shape(builder: TextBuilder, shape: Any, depth: int) -> None:
    try:
        if hasattr(shape, "shapes") and depth < _MAX_DEPTH:
            for inner in shape.shapes:
                _shape(builder, inner, depth + 1)
        elif shape.has_text_frame:
            _text_frame(builder, shape.text_frame)
        elif shape.has_table:
            for row in shape.table.rows:
                builder.row([cell.text for cell in row.cells])
            builder.end_block()
        elif shape.has_chart:
            _chart(builder, shape.chart)
        else:
            _words(builder, shape)
    except _MALFORMED:
        _words(builder, shape)


def _words(builder: TextBuilder, shape: BaseShape) -> None:
    """Whatever words the XML of a shape holds, for those that python-pptx does not know, such as SmartArt."""
    for paragraph in shape._element.iter(_PARAGRAPH):  # noqa: SLF001
        builder.paragraph("".join(text.text or "" for text in paragraph.iter(_TEXT)))


def _text_frame(builder: TextBuilder, frame: Any) -> None:
    paragraphs = [(paragraph.level, paragraph.text) for paragraph in frame.paragraphs if paragraph.text.strip()]
    listed = len(paragraphs) > 1
    for level, text in paragraphs:
        if listed:
            builder.item(text, level)
        else:
            builder.paragraph(text)
    builder.end_block()


def _chart(builder: TextBuilder, chart: Any) -> None:
    if chart.has_title and chart.chart_title.has_text_frame:
        builder.paragraph(chart.chart_title.text_frame.text)
    for row in _chart_rows(chart):
        builder.row(row)
    builder.end_block()


def _chart_rows(chart: Any) -> Iterator[list[str]]:
    for plot in chart.plots:
        series = list(plot.series)
        yield ["", *(str(one.name) for one in series)]
        values = [list(one.values) for one in series]
        for i, category in enumerate(plot.categories):
            yield [str(category), *(_number(column[i]) if i < len(column) else "" for column in values)]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
