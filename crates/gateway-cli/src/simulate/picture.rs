//! Pictures of curves as SVG, which the report contains.

use plotters::prelude::*;

const SIZE: (u32, u32) = (860, 260);
/// More points than this are not to be seen.
const POINTS: usize = 430;

/// The colours of the lines: those of Okabe and Ito, which colour-blind readers can tell apart.
pub(super) const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 0, 0),
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(150, 150, 150),
];

/// The colour of the line at a place.
pub(super) const fn colour(place: usize) -> RGBColor {
    COLOURS[place % COLOURS.len()]
}

/// A picture with a line for each strategy, over simulated time.
pub(super) struct Picture<'a> {
    /// What the picture shows, for readers who cannot see it.
    pub(super) about: &'a str,
    /// The unit of the values.
    pub(super) unit: &'a str,
    /// When the simulation ends, in seconds.
    pub(super) end: f64,
    /// The points of each line: seconds and values.
    pub(super) lines: Vec<Vec<(f64, f64)>>,
}

impl Picture<'_> {
    /// The picture as an element of HTML.
    pub(super) fn svg(&self) -> String {
        let mut svg = String::new();
        self.draw(&mut svg).expect("a picture in memory cannot fail");
        // Within HTML, the name space is known.
        let element = format!("<svg role=\"img\" aria-label=\"{}\"", self.about);
        svg.replace(" xmlns=\"http://www.w3.org/2000/svg\"", "").replacen("<svg", &element, 1)
    }

    fn draw(&self, svg: &mut String) -> Result<(), Box<dyn std::error::Error>> {
        let values = self.lines.iter().flatten().map(|(_, value)| *value);
        let most = values.fold(0.0, f64::max);
        let most = if most > 0.0 { most * 1.02 } else { 1.0 };
        let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        let mut chart = ChartBuilder::on(&root)
            .margin(8)
            .margin_right(24)
            .x_label_area_size(36)
            .y_label_area_size(70)
            .build_cartesian_2d(0.0..self.end, 0.0..most)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(RGBColor(225, 225, 225))
            .label_style(("sans-serif", 15))
            .axis_desc_style(("sans-serif", 15))
            .x_label_formatter(&|second| format!("{second:.0}"))
            .y_label_formatter(&|value| label(*value, most))
            .y_labels(6)
            .x_desc("seconds")
            .y_desc(self.unit)
            .draw()?;
        // The first line is drawn last, above the others.
        for (place, line) in self.lines.iter().enumerate().rev() {
            chart.draw_series(LineSeries::new(thinned(line), colour(place).stroke_width(2)))?;
        }
        root.present()?;
        Ok(())
    }
}

fn label(value: f64, most: f64) -> String {
    if most < 5.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

/// The highest and the lowest point of each part of a line, so that no peak is lost.
fn thinned(line: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let part = line.len().div_ceil(POINTS).max(1);
    if part == 1 {
        return line.to_vec();
    }
    let by_value = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
    let points = line.chunks(part * 2).flat_map(|part| {
        let mut ends =
            [part.iter().min_by(by_value), part.iter().max_by(by_value)].map(|it| it.copied());
        ends.sort_by(|a, b| {
            a.map(|it| it.0).partial_cmp(&b.map(|it| it.0)).unwrap_or(std::cmp::Ordering::Equal)
        });
        ends.into_iter().flatten()
    });
    points.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_thinned_and_keeps_its_peak() {
        let line: Vec<(f64, f64)> = (0..10_000)
            .map(|second| (f64::from(second), if second == 7_777 { 9.0 } else { 1.0 }))
            .collect();

        let thin = thinned(&line);

        assert!(thin.len() <= POINTS + 2, "{}", thin.len());
        assert!(thin.contains(&(7_777.0, 9.0)));
        assert!(thin.is_sorted_by(|a, b| a.0 <= b.0));
    }

    #[test]
    fn a_picture_refers_to_nothing_outside() {
        let lines = vec![vec![(0.0, 0.0), (1.0, 3.0)], vec![]];
        let picture = Picture { about: "a", unit: "b", end: 10.0, lines };

        let svg = picture.svg();

        assert!(svg.starts_with("<svg role=\"img\" aria-label=\"a\""), "{svg}");
        assert!(svg.contains("<polyline") && !svg.contains("http"), "{svg}");
        assert_eq!(svg, picture.svg());
    }
}
