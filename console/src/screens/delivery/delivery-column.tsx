import { Link } from '@tanstack/react-router';
import type { Column } from '../../ui/tables/table.tsx';
import { IdText } from '../../ui/text.tsx';

/** The column of lists by delivery that leads to each. */
export const DELIVERY_COLUMN: Column<{ deliveryId: string }> = {
  key: 'id',
  head: 'Delivery',
  width: '136px',
  narrow: '108px',
  cell: ({ deliveryId }) => (
    <Link to="/deliveries/$id" params={{ id: deliveryId }}>
      <IdText id={deliveryId} />
    </Link>
  ),
};
