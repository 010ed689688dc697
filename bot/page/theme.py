"""The look: system fonts only (nothing is fetched from outside), teal on warm grey, light and dark."""

from importlib.resources import files

import gradio as gr

SANS = ("-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Noto Sans", "Arial", "sans-serif")
MONO = ("SF Mono", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")


def theme() -> gr.themes.Base:
    """Gradio's own components in the page's colours."""
    made = gr.themes.Base(
        primary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.stone,
        radius_size=gr.themes.sizes.radius_md,
        font=[gr.themes.Font(name) for name in SANS],
        font_mono=[gr.themes.Font(name) for name in MONO],
    )
    return made.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="#161413",
        background_fill_primary="*neutral_50",
        background_fill_primary_dark="#161413",
        # Gradio paints it behind fields that stand together, also on the login page, which takes no style sheet.
        border_color_primary="*neutral_50",
        border_color_primary_dark="#161413",
        panel_background_fill="*neutral_50",
        panel_background_fill_dark="#161413",
        form_gap_width="12px",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_padding="0px",
        block_radius="8px",
        input_border_width="1px",
        block_border_color="*neutral_200",
        block_border_color_dark="#3a3532",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_label_border_width="0px",
        block_label_text_color="*neutral_600",
        block_label_text_color_dark="*neutral_300",
        block_title_text_color="*neutral_600",
        block_title_text_color_dark="*neutral_300",
        block_title_text_weight="500",
        block_shadow="none",
        input_background_fill="white",
        input_background_fill_dark="#1b1817",
        input_border_color="*neutral_300",
        input_border_color_dark="#4a4440",
        input_border_color_focus="*primary_600",
        input_border_color_focus_dark="*primary_400",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_800",
        button_primary_text_color="white",
        button_secondary_background_fill="white",
        button_secondary_background_fill_hover="*neutral_100",
        button_secondary_background_fill_dark="#2b2725",
        button_secondary_background_fill_hover_dark="#383330",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="#4a4440",
        button_border_width="1px",
        button_large_padding="10px 16px",
        button_large_text_weight="600",
        color_accent="*primary_700",
        border_color_accent="*primary_600",
    )


def css() -> str:
    """The style sheet."""
    return (files("bot.page") / "page.css").read_text(encoding="utf-8")
