// Walks with a Wardroom of their own, and looks at pages as people see them.

import { checkAxe, checkFits, screenshot, withWardroom } from './harness.mjs';

export const WIDE = 1440;
export const NARROW = 390;

/** A Wardroom with people whose browsers may drop the page's icon, which they do when they leave early. */
export function walk(work, options) {
  const patient = (person) => {
    person.problems.allow(/mark\.svg net::ERR_ABORTED$/);
    return person;
  };
  return withWardroom(
    (session) => work({ ...patient(session), openPerson: async (own) => patient(await session.openPerson(own)) }),
    options,
  );
}

/** Looks at the page as it is: wide and narrow, light and dark, with axe each time. */
export async function look(page, name) {
  const before = page.viewportSize();
  for (const width of [WIDE, NARROW]) {
    for (const dark of [false, true]) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' });
      await checkAxe(page);
      await screenshot(page, name, { width, dark });
    }
  }
  await page.emulateMedia({ colorScheme: null });
  await checkFits(page, 360);
  await page.setViewportSize(before);
}
